import { memoise, type ReadableState } from '@lockstep/contract/state';
import { defaultPolicyName, defaultPolicyText, rootPolicyName } from './built-in.ts';
import { type CompiledPolicy, compilePolicy, rootPolicy } from './compile.ts';
import { policyKey } from './keys.ts';

const compileBytes = memoise((bytes) => compilePolicy(Buffer.from(bytes).toString('utf8')));
const defaultPolicy: CompiledPolicy = compilePolicy(defaultPolicyText);

/**
 * The policy of that name, compiled once for as long as its bytes are the same; undefined where there is none, which grants nothing.
 * A decision that relies on it expects `policyKey(name)` to be unchanged.
 */
export function readPolicy(state: Pick<ReadableState, 'get'>, name: string): CompiledPolicy | undefined {
  if (name === rootPolicyName) return rootPolicy;
  const stored = state.get(policyKey(name));
  if (stored !== undefined) return compileBytes(stored);
  return name === defaultPolicyName ? defaultPolicy : undefined;
}
