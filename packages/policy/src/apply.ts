import { counterValue, readCounter } from '@lockstep/contract/counter';
import type { JsonObject } from '@lockstep/contract/json';
import type { WritableState } from '@lockstep/contract/state';
import type { PolicyFact } from './facts.ts';
import { policyCountKey, policyKey } from './keys.ts';

export function apply(state: WritableState, fact: PolicyFact): JsonObject | undefined {
  const key = policyKey(fact.name);
  const exists = state.get(key) !== undefined;
  const count = readCounter(state.get(policyCountKey));
  switch (fact.type) {
    case 'policyWritten':
      state.put(key, Buffer.from(fact.text));
      if (!exists) state.put(policyCountKey, counterValue(count + 1));
      return undefined;
    case 'policyDeleted':
      if (!exists) return undefined;
      state.delete(key);
      state.put(policyCountKey, counterValue(count - 1));
      return undefined;
    default:
      return fact satisfies never;
  }
}
