import { LockstepError } from '@lockstep/contract/errors';
import { quoted } from './hcl.ts';
import { policyNameLengthMax } from './limits.ts';

/**
 * Checks a policy's name. Names that differ only in case would be one policy under two paths, of which a deny may cover but one; so only
 * lower case is taken, and what isn't is refused rather than changed.
 */
export function requirePolicyName(name: string): string {
  if (name.length > policyNameLengthMax)
    throw new LockstepError('invalid-input', `policy name must be at most ${policyNameLengthMax} characters long`);
  if (!/^[a-z0-9_][a-z0-9_.-]*$/.test(name)) {
    throw new LockstepError(
      'invalid-input',
      `policy name ${quoted(name)} must be lower-case ascii letters, digits, "_", "-" and ".", beginning with a letter, digit or "_"`,
    );
  }
  return name;
}
