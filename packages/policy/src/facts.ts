import { type Codec, facts, message, text } from '@lockstep/contract/wire';

/** Everything that can happen to policies. */
export type PolicyFact =
  | { readonly type: 'policyWritten'; readonly name: string; readonly text: string }
  | { readonly type: 'policyDeleted'; readonly name: string };

const policyWritten = message({ name: text(1), text: text(2) });
const policyDeleted = message({ name: text(1) });

/** On the wire as in protos/lockstep/facts/policy/v1/facts.proto. */
export const policyFacts: Codec<PolicyFact> = facts({
  policyWritten: [1, policyWritten],
  policyDeleted: [2, policyDeleted],
});
