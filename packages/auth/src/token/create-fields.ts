import { booleanField, durationField, integerField, listField, mapField, textField } from '@lockstep/contract/fields';
import type { FieldSpec } from '@lockstep/contract/fields';
import { usesMax } from './limits.ts';

/** Of `create` and `create-orphan`, as Vault names them. */
export const createFields: {
  readonly id: FieldSpec<string>;
  readonly policies: FieldSpec<readonly string[]>;
  readonly meta: FieldSpec<{ readonly [key: string]: string }>;
  readonly no_parent: FieldSpec<boolean>;
  readonly no_default_policy: FieldSpec<boolean>;
  readonly renewable: FieldSpec<boolean>;
  readonly ttl: FieldSpec<number>;
  readonly explicit_max_ttl: FieldSpec<number>;
  readonly display_name: FieldSpec<string>;
  readonly num_uses: FieldSpec<number>;
  readonly period: FieldSpec<number>;
  readonly type: FieldSpec<string>;
  readonly entity_alias: FieldSpec<string>;
  readonly bound_cidrs: FieldSpec<readonly string[]>;
} = {
  id: textField({ description: 'The token itself, instead of a drawn one (root or sudo)', default: '' }),
  policies: listField({ description: "Its policies; without any, the caller's own", default: [] }),
  meta: mapField({ description: 'Metadata, shown in the audit log', default: {} }),
  no_parent: booleanField({ description: "Not to end with the caller's token (root or sudo)", default: false }),
  no_default_policy: booleanField({ description: 'Leave out the policy `default`', default: false }),
  renewable: booleanField({ description: 'Whether it can be renewed', default: true }),
  ttl: durationField({ description: "How long it lives; without it, the mount's default", default: 0 }),
  explicit_max_ttl: durationField({ description: 'When it ends whatever its renewals', default: 0 }),
  display_name: textField({ description: 'A name for the audit log', default: '', max: 256 }),
  num_uses: integerField({ description: 'Requests that it may make; 0 is any number', default: 0, max: usesMax }),
  period: durationField({ description: 'Each renewal gives it this long, for ever (root or sudo)', default: 0 }),
  type: textField({ description: 'Only `service` so far', default: 'service', oneOf: ['service', 'batch'] }),
  entity_alias: textField({ description: 'Not supported yet', default: '' }),
  bound_cidrs: listField({ description: 'Not supported yet', default: [] }),
};
