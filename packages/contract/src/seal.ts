import type { Secret } from './secret.ts';

/**
 * Guards the root key without an operator: something outside (a KMS, a key file) wraps and unwraps it. Errors are `unavailable`
 * when the outside can't be reached and `denied` when it refuses; a wrapped key that was changed must be refused.
 */
export interface AutoSeal {
  readonly kind: string;
  readonly wrap: (rootKey: Secret, context: Uint8Array) => Promise<Uint8Array>;
  readonly unwrap: (wrapped: Uint8Array, context: Uint8Array) => Promise<Secret>;
}
