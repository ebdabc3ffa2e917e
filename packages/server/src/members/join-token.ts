import { createHmac } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import { isObject } from '@lockstep/contract/fields';
import { Secret } from '@lockstep/contract/secret';
import { joinAddressesMax, joinSecretBytes, joinTokenLengthMax } from './limits.ts';

/** What a newcomer needs, and all that it needs, to join: it is a secret. */
export interface JoinToken {
  readonly clusterId: string;
  /** SHA-256 of the public key of the cluster's authority (SubjectPublicKeyInfo), in hexadecimal. */
  readonly pin: string;
  readonly inviteId: string;
  readonly secret: Secret;
  /** URLs of the members' HTTP doors. */
  readonly addresses: readonly string[];
  readonly expiresMs: number;
}

const prefix = 'lockstep-join-1.';

export function encodeJoinToken(token: JoinToken): string {
  const { clusterId: c, pin: p, inviteId: i, addresses: a, expiresMs: e } = token;
  const fields = { c, p, i, s: token.secret.reveal().toString('base64url'), a, e };
  return `${prefix}${Buffer.from(JSON.stringify(fields)).toString('base64url')}`;
}

/** Refuses with `invalid-input` what is no join token; the message does not repeat it. */
export function decodeJoinToken(text: string): JoinToken {
  const refuse = (rule: string): never => {
    throw new LockstepError('invalid-input', `join token ${rule}`);
  };
  const given = text.trim();
  if (given.length > joinTokenLengthMax) refuse(`must be at most ${joinTokenLengthMax} characters long`);
  if (!given.startsWith(prefix)) refuse(`must begin with ${prefix}`);
  const fields = parsed(given.slice(prefix.length)) ?? refuse('can not be read: it was cut or changed');
  const { c, p, i, s, a, e } = fields;
  const isText = (value: unknown, pattern: RegExp): value is string => typeof value === 'string' && pattern.test(value);
  if (!isText(c, /^[0-9a-f]{32}$/) || !isText(p, /^[0-9a-f]{64}$/) || !isText(i, /^[0-9a-f]{16}$/))
    return refuse('names no cluster, authority or invitation');
  if (!isText(s, /^[\w-]{43}$/)) return refuse(`must hold a secret of ${joinSecretBytes} bytes`);
  if (typeof e !== 'number' || !Number.isSafeInteger(e) || e < 0) return refuse('has no time of expiry');
  if (!Array.isArray(a) || a.length === 0 || a.length > joinAddressesMax) return refuse('names no member');
  const addresses = a.map((address: unknown) =>
    isText(address, /^https:\/\/[^\s/]+$/) ? address : refuse('names a member without an https address'),
  );
  return {
    clusterId: c,
    pin: p,
    inviteId: i,
    secret: new Secret(Buffer.from(s, 'base64url')),
    addresses,
    expiresMs: e,
  };
}

function parsed(text: string): { readonly [name: string]: unknown } | undefined {
  try {
    const fields: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return isObject(fields) ? fields : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What a member keeps of the secret: enough to check a proof, too little to make a token. */
export function joinKey(secret: Secret): Buffer {
  return createHmac('sha256', secret.reveal()).update('lockstep join key 1').digest();
}

/** All that a newcomer says of itself. */
export interface JoinClaim {
  readonly inviteId: string;
  /** DER. */
  readonly csr: Uint8Array;
  readonly node: number;
  readonly incarnation: number;
  readonly name: string;
  readonly peerAddress: string;
  readonly apiAddress: string;
  readonly grpcAddress: string;
}

/** Proves, to whoever keeps the key, that all of this is said by the holder of the secret. */
export function joinProof(key: Uint8Array, clusterId: string, claim: JoinClaim): Buffer {
  const { inviteId, csr, node, incarnation, name, peerAddress, apiAddress, grpcAddress } = claim;
  // JSON of a list of texts has one reading.
  const said = [
    'lockstep join proof 1',
    clusterId,
    inviteId,
    Buffer.from(csr).toString('base64'),
    String(node),
    String(incarnation),
    name,
    peerAddress,
    apiAddress,
    grpcAddress,
  ];
  return createHmac('sha256', key).update(JSON.stringify(said)).digest();
}
