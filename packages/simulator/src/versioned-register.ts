import type { SequentialModel } from './linearizability.ts';

/** What a register with versions holds: 0 before the first write. */
export interface RegisterState {
  readonly version: number;
  readonly value: string;
}

/** An operation on one register, with what it answered; `version: undefined` where that is not known. */
export type RegisterOperation =
  | { readonly kind: 'read'; readonly version: number; readonly value: string }
  /** Takes the next version. */
  | { readonly kind: 'write'; readonly value: string; readonly version: number | undefined }
  /** Takes the next version if the newest is `expected`. */
  | {
      readonly kind: 'check-and-set';
      readonly expected: number;
      readonly value: string;
      readonly version: number | undefined;
    }
  /** A check-and-set that was refused since the newest version was another. */
  | { readonly kind: 'mismatch'; readonly expected: number };

/** One secret of a KV engine of version 2. */
export const versionedRegister: SequentialModel<RegisterOperation, RegisterState> = {
  initial: { version: 0, value: '' },
  step: (state, operation) => {
    switch (operation.kind) {
      case 'read':
        return state.version === operation.version && state.value === operation.value ? state : undefined;
      case 'mismatch':
        return state.version === operation.expected ? undefined : state;
      case 'check-and-set':
        return state.version === operation.expected ? written(state, operation) : undefined;
      case 'write':
        return written(state, operation);
      default:
        return operation satisfies never;
    }
  },
  keyOf: ({ version, value }) => `${version} ${value}`,
};

function written(
  state: RegisterState,
  operation: { readonly value: string; readonly version: number | undefined },
): RegisterState | undefined {
  const version = state.version + 1;
  if (operation.version !== undefined && operation.version !== version) return undefined;
  return { version, value: operation.value };
}
