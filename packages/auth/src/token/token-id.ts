import { createHmac, createSecretKey } from 'node:crypto';
import type { Secret } from '@lockstep/contract/secret';
import { LockstepError } from '@lockstep/contract/errors';
import type { ReadableState } from '@lockstep/contract/state';
import { saltKey } from './keys.ts';

/**
 * A token's id in the state: HMAC-SHA256 under the cluster's secret salt. So the state doesn't hold tokens, and looking an id up
 * tells nothing, by time either, about any other token.
 */
export function tokenId(salt: Uint8Array, token: Secret): string {
  // As a key object: Node needs 12 µs more to make a key of plain bytes.
  return createHmac('sha256', createSecretKey(salt)).update(token.reveal()).digest('base64url');
}

/** The salt that was drawn when the cluster was initialised. */
export function readSalt(state: Pick<ReadableState, 'get'>): Uint8Array {
  const salt = state.get(saltKey);
  if (salt === undefined) throw new LockstepError('not-initialized', 'the cluster has no tokens yet');
  return salt;
}
