import { createHmac, timingSafeEqual } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import { Secret } from '@lockstep/contract/secret';
import { keyBytes } from '../keyring.ts';
import { shareTextCharsMax } from '../limits.ts';

// share = y(32) | x(1) | check(4)
// The first 33 bytes are laid out as Vault's shares are. The check is HMAC-SHA256 over them, keyed by the set's public id: it
// tells a mistyped or foreign share at once, and tells nothing about the key to one who lacks the share.

const checkBytes = 4;
export const shareBytes: number = keyBytes + 1 + checkBytes;
const hexShape: RegExp = new RegExp(`^[0-9a-fA-F]{${shareBytes * 2}}$`);
/** 37 bytes leave one over after twelve groups of three: two more characters, and two of padding. */
const base64Shape: RegExp = new RegExp(`^[A-Za-z0-9+/]{${Math.ceil((shareBytes * 4) / 3)}}(==)?$`);

export interface Share {
  /** 1 to 255, different for each share of a set. */
  readonly coordinate: number;
  /** 33 bytes: y and x. */
  readonly point: Secret;
}

/** Adds the check. Takes the point's bytes over and clears them. */
export function shareOf(point: Uint8Array, setId: Uint8Array): Secret {
  const share = Buffer.allocUnsafeSlow(shareBytes);
  share.set(point);
  share.set(checkOf(point, setId), point.length);
  point.fill(0);
  return new Secret(share);
}

/** What an operator is shown. Strings can't be wiped: reveal once, in the answer to `init`. */
export function shareTexts(share: Secret): { readonly hex: string; readonly base64: string } {
  return { hex: share.reveal().toString('hex'), base64: share.reveal().toString('base64') };
}

/** Reads a share in hex or base64. Refuses with `invalid-input` what isn't one, or belongs to another set. */
export function parseShare(text: string, setId: Uint8Array): Share {
  const bytes = decodeText(text.length > shareTextCharsMax ? '' : text);
  const pointLength = shareBytes - checkBytes;
  const point = Buffer.allocUnsafeSlow(pointLength);
  bytes.copy(point, 0, 0, pointLength);
  const isOurs = timingSafeEqual(bytes.subarray(pointLength), checkOf(point, setId));
  bytes.fill(0);
  const coordinate = point[pointLength - 1];
  // Zero would be the key itself; no split ever makes it.
  if (!isOurs || coordinate === undefined || coordinate === 0) {
    point.fill(0);
    throw new LockstepError('invalid-input', 'unseal key is not part of the current share set');
  }
  return { coordinate, point: new Secret(point) };
}

function decodeText(text: string): Buffer {
  const encoding = hexShape.test(text) ? 'hex' : base64Shape.test(text) ? 'base64' : undefined;
  const bytes = encoding === undefined ? undefined : Buffer.from(text, encoding);
  // Base64 whose spare bits are set is another spelling of the same bytes: one share has one spelling.
  const isCanonical = encoding === 'hex' || bytes?.toString('base64').startsWith(text);
  if (bytes === undefined || bytes.length !== shareBytes || !isCanonical)
    throw new LockstepError('invalid-input', `unseal key must be ${shareBytes} bytes in hex or base64`);
  return bytes;
}

function checkOf(point: Uint8Array, setId: Uint8Array): Buffer {
  return createHmac('sha256', setId).update('lockstep share 1').update(point).digest().subarray(0, checkBytes);
}
