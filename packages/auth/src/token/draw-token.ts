import { Secret } from '@lockstep/contract/secret';
import { accessorBytes, tokenBytes } from './limits.ts';

type Random = (size: number) => Buffer;

/** A new token, in the form that Vault's clients and secret scanners know. */
export function drawToken(random: Random): Secret {
  return Secret.fromText(`hvs.${random(tokenBytes).toString('base64url')}`);
}

export function drawAccessor(random: Random): string {
  return random(accessorBytes).toString('base64url');
}
