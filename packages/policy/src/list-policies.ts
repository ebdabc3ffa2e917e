import type { Call } from '@lockstep/contract/engine';
import { defaultPolicyName, rootPolicyName } from './built-in.ts';
import { policyPrefix } from './keys.ts';
import { listPageKeys, policiesMax } from './limits.ts';

/** All names in byte order, the built-in ones among them. */
export async function listPolicies(call: Call): Promise<readonly string[]> {
  const names = new Set([defaultPolicyName, rootPolicyName]);
  let from = policyPrefix;
  while (names.size <= policiesMax + 2) {
    const page = await call.state.keys({ prefix: policyPrefix, from, limit: listPageKeys });
    for (const key of page) names.add(key.slice(policyPrefix.length));
    const last = page.at(-1);
    if (last === undefined || page.length < listPageKeys) break;
    from = `${last}\0`;
  }
  return [...names].sort();
}
