import { LockstepError } from '@lockstep/contract/errors';
import { policiesPerTokenMax, policyNameLengthMax } from './limits.ts';
import type { Token } from './lookup.ts';

const rootPolicy = 'root';
const defaultPolicy = 'default';

/**
 * The policies of a new token. Without any asked for, its parent's. A caller without sudo can give only what it has itself; nobody but
 * root can give `root`.
 */
export function policiesOfNew(
  parent: Token,
  asked: { readonly policies: readonly string[]; readonly wantsDefault: boolean; readonly maySurpass: boolean },
): readonly string[] {
  const own = new Set(parent.policies);
  const isRoot = own.has(rootPolicy);
  const named = [...new Set(asked.policies.map(policyName))];
  if (!isRoot && !asked.maySurpass && !named.every((name) => own.has(name)))
    throw new LockstepError('invalid-input', 'child policies must be subset of parent');
  const policies = new Set(named.length === 0 ? parent.policies : named);
  if (policies.has(rootPolicy) && !isRoot)
    throw new LockstepError('invalid-input', 'root tokens may not be created without parent token being root');
  if (policies.has(rootPolicy)) return [rootPolicy];
  if (!asked.wantsDefault) policies.delete(defaultPolicy);
  else if (isRoot || asked.maySurpass || own.has(defaultPolicy)) policies.add(defaultPolicy);
  if (policies.size > policiesPerTokenMax)
    throw new LockstepError('invalid-input', `policies must have at most ${policiesPerTokenMax} elements`);
  return [...policies].sort();
}

// As the policies' engine names them: what it can't store would be a policy that can be given but never exist.
function policyName(name: string): string {
  if (name.length > policyNameLengthMax || !/^[a-z0-9_][a-z0-9_.-]*$/.test(name)) {
    throw new LockstepError(
      'invalid-input',
      `policies: each name must be lower-case ascii letters, digits, "_", "-" and ".", and at most ${policyNameLengthMax} long`,
    );
  }
  return name;
}
