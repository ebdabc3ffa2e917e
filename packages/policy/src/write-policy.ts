import { readCounter } from '@lockstep/contract/counter';
import type { Call, Decision } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { rootPolicyName } from './built-in.ts';
import { compilePolicy } from './compile.ts';
import type { PolicyFact } from './facts.ts';
import { policyCountKey, policyKey } from './keys.ts';
import { policiesMax } from './limits.ts';
import { requirePolicyName } from './policy-name.ts';

/** Stores a policy under its name, replacing what was there. Refuses a text that can't be enforced, and any change of `root`. */
export function writePolicy(
  call: Call,
  request: { readonly name: string; readonly text: string },
): Decision<PolicyFact> {
  const name = requirePolicyName(request.name);
  if (name === rootPolicyName) throw new LockstepError('invalid-input', 'cannot update "root" policy');
  if (request.text.trim() === '') throw new LockstepError('invalid-input', "'policy' parameter not supplied or empty");
  compilePolicy(request.text);
  const isNew = call.state.get(policyKey(name)) === undefined;
  if (isNew && readCounter(call.state.get(policyCountKey)) >= policiesMax)
    throw new LockstepError('failed-precondition', `there are ${policiesMax} policies already, which is the most`);
  return {
    facts: [{ type: 'policyWritten', name, text: request.text }],
    expects: isNew ? [{ kind: 'below', key: policyCountKey, limit: policiesMax }] : [],
    reply: {},
  };
}
