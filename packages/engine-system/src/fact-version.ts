import { counterValue, readCounter } from '@lockstep/contract/counter';
import type { ReadableState } from '@lockstep/contract/state';
import { systemFacts } from './facts.ts';
import { factVersionKey } from './keys.ts';

/** What every cluster starts with. */
export const firstFactVersion = 1;

/** The fact version in force: no handler records a newer fact. Raised only once every member has said that it speaks it. */
export function readFactVersion(state: Pick<ReadableState, 'get'>): number {
  const stored = state.get(factVersionKey);
  return stored === undefined ? firstFactVersion : readCounter(stored);
}

/** The fact that raises it, for the host to record; one that would lower it changes nothing. */
export function raiseFactVersion(version: number): Buffer {
  return systemFacts.encode({ type: 'factVersionRaised', version });
}

export function encodeFactVersion(version: number): Uint8Array {
  return counterValue(version);
}
