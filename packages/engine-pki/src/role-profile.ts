// A role as issuing needs it: parsed once, with all in a certificate that depends on the role alone already encoded.
import { memoise, type ReadableState } from '@lockstep/contract/state';
import { type Expect, unchanged } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { type Der, encode } from './der.ts';
import { certificatePolicies, extendedKeyUsage, keyUsage, leafConstraints, leafUsageBits } from './extensions.ts';
import { roleKey } from './keys.ts';
import { type NameRules, nameRules } from './name-rules.ts';
import type { KeyType } from './public-key.ts';
import { type Role, role as roleRecord } from './records.ts';
import { organisationAttributes } from './subject.ts';

export interface RoleProfile {
  readonly role: Role;
  readonly names: NameRules;
  /** The subject's attributes that the role sets, each encoded. */
  readonly organisation: readonly Buffer[];
  /** Key usage, purposes, constraints and policies, one after the other. */
  readonly extensions: { readonly [type in KeyType]: Buffer };
}

/** Refuses a role that says what no certificate can hold: so a role that was written can always be read. */
export function roleProfile(role: Role): RoleProfile {
  const usage = leafUsageBits(role.key_usage);
  const rest: Der[] = [];
  const purposes = extendedKeyUsage(role);
  if (purposes !== undefined) rest.push(purposes);
  if (role.basic_constraints_valid_for_non_ca) rest.push(leafConstraints);
  if (role.policy_identifiers.length > 0) rest.push(certificatePolicies(role.policy_identifiers));
  const extensionsFor = (type: KeyType): Buffer => {
    const own = keyUsage(usage, type);
    return Buffer.concat([...(own === undefined ? [] : [own]), ...rest].map(encode));
  };
  return {
    role,
    names: nameRules(role),
    organisation: organisationAttributes(role).map(encode),
    extensions: { rsa: extensionsFor('rsa'), ec: extensionsFor('ec'), ed25519: extensionsFor('ed25519') },
  };
}

const profileOf = memoise((bytes): RoleProfile => roleProfile(roleRecord.decode(bytes)));

export interface FoundRole {
  readonly name: string;
  readonly profile: RoleProfile;
  readonly expect: Expect;
}

/** Refuses an unknown role, in Vault's words. */
export function requireRole(state: ReadableState, name: string): FoundRole {
  const bytes = state.get(roleKey(name));
  if (bytes === undefined) throw new LockstepError('invalid-input', `unknown role: ${name}`);
  return { name, profile: profileOf(bytes), expect: unchanged(state, roleKey(name)) };
}
