import type { Call, Decision } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { defaultPolicyName, rootPolicyName } from './built-in.ts';
import type { PolicyFact } from './facts.ts';
import { policyKey } from './keys.ts';
import { requirePolicyName } from './policy-name.ts';

/** Deletes a policy; no error when there is none, as in Vault. `root` and `default` stay. */
export function deletePolicy(call: Call, request: { readonly name: string }): Decision<PolicyFact> {
  const name = requirePolicyName(request.name);
  if (name === rootPolicyName || name === defaultPolicyName)
    throw new LockstepError('invalid-input', `cannot delete "${name}" policy`);
  if (call.state.get(policyKey(name)) === undefined) return { reply: {} };
  return { facts: [{ type: 'policyDeleted', name }], reply: {} };
}
