import { LockstepError } from '@lockstep/contract/errors';
import { Secret } from '@lockstep/contract/secret';
import { tokenBytesMax } from './limits.ts';

/**
 * The caller's token from `X-Vault-Token` or `Authorization: Bearer` (HTTP headers or gRPC metadata). Refuses two that differ, and
 * what no token of any kind looks like; other kinds of authorization are a proxy's business.
 */
export function callerToken(own: string | undefined, authorization: string | undefined): Secret | undefined {
  const bearer =
    authorization !== undefined && /^bearer /i.test(authorization) ? authorization.slice(7).trim() : undefined;
  if (own !== undefined && own !== '' && bearer !== undefined && own !== bearer)
    throw new LockstepError('invalid-input', 'conflicting credentials: X-Vault-Token and Authorization differ');
  const token = own !== undefined && own !== '' ? own : bearer;
  if (token === undefined || token === '') return undefined;
  // Printable ASCII without the comma, with which Node joins repeated headers.
  if (token.length > tokenBytesMax || !/^[\u0021-\u002b\u002d-\u007e]+$/.test(token))
    throw new LockstepError('invalid-input', 'malformed token');
  return Secret.fromText(token);
}

/** A header that is handed on as it is. Refuses one that is too long or not ASCII. */
export function passedOn(name: string, value: string | undefined, bytesMax: number): string | undefined {
  if (value === undefined) return undefined;
  if (value.length > bytesMax)
    throw new LockstepError('invalid-input', `header ${name} is longer than ${bytesMax} bytes`);
  if (!/^[\u0020-\u007e]*$/.test(value)) throw new LockstepError('invalid-input', `header ${name} must be ASCII`);
  return value;
}

export function remoteAddress(address: string | undefined): string {
  if (address === undefined) return '';
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}
