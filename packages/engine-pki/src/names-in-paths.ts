import { fieldError } from '@lockstep/contract/errors';
import { nameLengthMax } from './limits.ts';

/** The names of roles, issuers and keys: letters, digits, `_`, and `-` or `.` within (Vault's rule). */
export function checkName(field: string, name: string): string {
  if (name.length > nameLengthMax || !/^\w(?:[\w.-]*\w)?$/.test(name))
    throw fieldError(
      field,
      `must be letters, digits and _, with - and . only within, at most ${nameLengthMax} characters`,
    );
  return name;
}
