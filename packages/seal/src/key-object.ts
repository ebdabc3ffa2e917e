import { createSecretKey, type KeyObject } from 'node:crypto';
import type { Secret } from '@lockstep/contract/secret';

/** The key as OpenSSL holds it. Its copy can't be wiped: drop the reference. */
export function keyObjectOf(key: Secret): KeyObject {
  return createSecretKey(key.reveal());
}
