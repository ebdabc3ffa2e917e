import type { ObjectModel } from './history.ts';
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
  isPast,
};

/** Versions only grow. */
function isPast(state: RegisterState, operation: RegisterOperation): boolean {
  switch (operation.kind) {
    case 'read':
      return operation.version < state.version;
    case 'write':
    case 'check-and-set':
      return operation.version !== undefined && operation.version <= state.version;
    case 'mismatch':
      return false;
    default:
      return operation satisfies never;
  }
}

function written(
  state: RegisterState,
  operation: { readonly value: string; readonly version: number | undefined },
): RegisterState | undefined {
  const version = state.version + 1;
  if (operation.version !== undefined && operation.version !== version) return undefined;
  return { version, value: operation.value };
}

export type RegisterInput =
  | { readonly kind: 'read' }
  | { readonly kind: 'write'; readonly value: string }
  | { readonly kind: 'check-and-set'; readonly expected: number; readonly value: string };

/** A write's `value` is its own. */
export type RegisterOutput =
  | { readonly kind: 'found'; readonly version: number; readonly value: string }
  | { readonly kind: 'written'; readonly version: number }
  | { readonly kind: 'mismatch' };

/** The same register for `checkHistory`: no two writes of a key may have the same value, and none an empty one. */
export const uniqueRegister: ObjectModel<RegisterInput, RegisterOutput, RegisterState> = {
  initial: versionedRegister.initial,
  keyOf: versionedRegister.keyOf,
  isPast: (state, input, output) => {
    const operation = operationOf(input, output);
    return operation !== undefined && isPast(state, operation);
  },
  step: (state, input, output) => {
    if (output === undefined && input.kind === 'read') return state;
    const operation = operationOf(input, output);
    return operation === undefined ? undefined : versionedRegister.step(state, operation);
  },
  unique: {
    tokenOf: (input) => (input.kind === 'read' ? undefined : input.value),
    seenIn: (_input, output) =>
      output.kind === 'found' && output.version > 0
        ? { token: output.value, output: { kind: 'written', version: output.version } }
        : undefined,
    isUnconditional: (input) => input.kind === 'write',
  },
};

/** Undefined for an output that such an input never has. */
function operationOf(input: RegisterInput, output: RegisterOutput | undefined): RegisterOperation | undefined {
  switch (output?.kind) {
    case undefined:
      return input.kind === 'read' ? undefined : { ...input, version: undefined };
    case 'found':
      return input.kind === 'read' ? { ...input, version: output.version, value: output.value } : undefined;
    case 'written':
      return input.kind === 'read' ? undefined : { ...input, version: output.version };
    case 'mismatch':
      return input.kind === 'check-and-set' ? { kind: 'mismatch', expected: input.expected } : undefined;
    default:
      return output satisfies never;
  }
}
