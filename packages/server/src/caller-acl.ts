import type { Token } from '@lockstep/auth/token/lookup';
import type { ReadableState } from '@lockstep/contract/state';
import { type Acl, aclOf } from '@lockstep/policy/acl';
import { policyKey } from '@lockstep/policy/keys';
import { readPolicy } from '@lockstep/policy/read-policy';

/** Distinct sets of policies whose ACLs are kept compiled: far more than a cluster has roles, small enough to forget nothing soon. */
const aclsMax = 1_000;

interface Compiled {
  readonly sources: readonly object[];
  readonly acl: Acl;
}

/** Compiles the ACL of some policies, and remembers it for as long as none of them changes. */
export class AclCache {
  readonly #compiled = new Map<string, Compiled>();

  of(policies: ReadableState, names: readonly string[]): Acl {
    const key = names.join('\n');
    // A policy that doesn't exist (any more) grants nothing.
    const sources = names.map((name) => readPolicy(policies, name)).filter((policy) => policy !== undefined);
    const known = this.#compiled.get(key);
    if (
      known !== undefined &&
      known.sources.length === sources.length &&
      known.sources.every((source, at) => source === sources[at])
    )
      return known.acl;
    const acl = aclOf(sources);
    if (this.#compiled.size >= aclsMax) this.#compiled.clear();
    this.#compiled.set(key, { sources, acl });
    return acl;
  }
}

/** The state keys that a token's rights were read from. */
export function policyKeysOf(token: Token): readonly string[] {
  return token.policies.filter((name) => name !== 'root').map(policyKey);
}
