import { type Call, type Decision, unchanged } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import type { PkiFact } from './facts.ts';
import { keySpec } from './generate-key.ts';
import { typeOf } from './issue-certificate.ts';
import { roleKey } from './keys.ts';
import { rsaBitsMax } from './limits.ts';
import { parseOtherName } from './name-rules.ts';
import { checkName } from './names-in-paths.ts';
import { type Role, role as roleRecord } from './records.ts';
import { refuseUnsupported, roleFields } from './role-fields.ts';
import { roleProfile } from './role-profile.ts';
import { signatureBitsAllowed } from './sign-der.ts';
import { parseTime } from './validity.ts';

/** A role's fields with the unsupported ones, as the row's specs give them. */
export type RoleValues = Role & { readonly name: string; readonly [unsupported: string]: unknown };

/** Replaces the whole role: what the request leaves out goes back to its default, as in Vault. */
export function writeRole(_call: Call, values: RoleValues): Decision<PkiFact> {
  refuseUnsupported(values);
  return writtenRole(checkName('name', values.name), roleOf(values));
}

export type RolePatch = { readonly [K in keyof Role]: Role[K] | undefined } & {
  readonly name: string;
  readonly [unsupported: string]: unknown;
};

/** Changes the fields that the request names. */
export function patchRole(call: Call, values: RolePatch): Decision<PkiFact> {
  refuseUnsupported(values);
  const before = call.state.get(roleKey(values.name));
  if (before === undefined) throw new LockstepError('not-found', '');
  const role = { ...roleRecord.decode(before), ...given(values) };
  return { ...writtenRole(values.name, role), expects: [unchanged(call.state, roleKey(values.name))] };
}

const roleNames = Object.keys(roleFields);

/** The role alone, without the path's name and the unsupported fields. */
function roleOf(values: RoleValues): Role {
  return { ...roleRecord.initial, ...given(values) };
}

function given(values: { readonly [name: string]: unknown }): Partial<Role> {
  return Object.fromEntries(roleNames.filter((name) => values[name] !== undefined).map((name) => [name, values[name]]));
}

function writtenRole(name: string, asked: Role): Decision<PkiFact> {
  const role = checkRole(asked);
  return { facts: [{ type: 'roleWritten', name, role }], reply: { data: roleReply(role) } };
}

/** Refuses what no certificate could follow, when the role is written and not when it is first used. */
function checkRole(role: Role): Role {
  const refuse = (rule: string): never => {
    throw new LockstepError('invalid-input', rule);
  };
  if (role.max_ttl !== 0 && role.ttl > role.max_ttl) refuse('"ttl" value must be less than "max_ttl" value');
  if (!signatureBitsAllowed.includes(role.signature_bits)) refuse('signature_bits must be 0, 256, 384 or 512');
  for (const form of role.cn_validations) {
    if (form !== 'email' && form !== 'hostname' && form !== 'disabled')
      refuse(`cn_validations "${form}" is not one of email, hostname, disabled`);
  }
  if (role.cn_validations.length === 0) refuse('cn_validations must name a form, or "disabled"');
  if (role.cn_validations.includes('disabled') && role.cn_validations.length > 1)
    refuse('cn_validations must be "disabled" alone, or not have it');
  for (const allowed of role.allowed_other_sans) if (allowed !== '*') parseOtherName('allowed_other_sans', allowed);
  if (role.not_after !== '') parseTime('not_after', role.not_after);
  if (!['permit', 'ttl-limited', 'forbid'].includes(role.not_after_bound))
    parseTime('not_after_bound', role.not_after_bound);
  checkName('issuer_ref', role.issuer_ref);
  roleProfile(role);
  return { ...role, key_bits: keyBits(role) };
}

/** The size that 0 stands for; with `any` there is none to choose. */
function keyBits(role: Role): number {
  if (role.key_type !== 'any') return keySpec(typeOf(role.key_type), role.key_bits).bits;
  if (role.key_bits > rsaBitsMax || role.key_bits !== 0)
    throw new LockstepError('invalid-input', 'key_bits must be 0 where key_type is "any"');
  return 0;
}

/** Durations as seconds; the fields that have one value only are told too, since clients compare what they wrote. */
export function roleReply(role: Role): JsonObject {
  return {
    ...role,
    allowed_domains_template: false,
    allowed_uri_sans_template: false,
    allow_globs_in_identity_templates: false,
    allow_token_displayname: false,
    generate_lease: false,
    use_pss: false,
    not_before: '',
    not_before_bound: 'permit',
  };
}
