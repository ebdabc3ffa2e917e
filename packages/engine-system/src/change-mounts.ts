import { type Call, type Decision, unchanged } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import type { MountOption, MountRecord, SystemFact } from './facts.ts';
import { mountsKey } from './keys.ts';
import { mountsMax } from './limits.ts';
import { parseMountConfig, requireTtlOrder } from './mount-config.ts';
import { requireFreePath, requireMountPath } from './mount-path.ts';
import { readMountTable } from './mount-table.ts';

export interface EnableValues {
  readonly path: string;
  readonly type: string;
  readonly description: string;
  readonly config: JsonObject;
  readonly options: { readonly [key: string]: string };
}

/** What `type` may be, and what kind of engine it is. */
const kinds: { readonly [type: string]: string } = { kv: 'kv', 'kv-v2': 'kv', pki: 'pki' };

/** Mounts an engine at a path. */
export function enableMount(call: Call, values: EnableValues): Decision<SystemFact> {
  const kind = Object.hasOwn(kinds, values.type) ? kinds[values.type] : undefined;
  if (kind === undefined)
    throw new LockstepError(
      'invalid-input',
      `type must be one of ${Object.keys(kinds).join(', ')}; "${values.type}" is not offered`,
    );
  const path = requireMountPath(values.path);
  const table = readMountTable(call.state);
  requireFreePath(table, path);
  if (table.mounts.length >= mountsMax)
    throw new LockstepError('invalid-input', `there are at most ${mountsMax} mounts`);
  const config = parseMountConfig(values.config);
  const mount: MountRecord = {
    id: call.random(12).toString('hex'),
    kind,
    path,
    namespace: call.mount.namespace,
    description: values.description,
    options: requireOptions(kind, values),
    defaultLeaseTtlSeconds: config.defaultLeaseTtlSeconds ?? 0,
    maxLeaseTtlSeconds: config.maxLeaseTtlSeconds ?? 0,
    accessor: `${kind}_${call.random(4).toString('hex')}`,
    uuid: uuidOf(call.random(16)),
    createdMs: call.now,
    isListed: config.isListed ?? false,
  };
  requireTtlOrder(mount);
  return { facts: [{ type: 'mountEnabled', ...mount }], expects: [unchanged(call.state, mountsKey)], reply: {} };
}

function requireOptions(kind: string, values: EnableValues): readonly MountOption[] {
  const options = { ...values.options };
  if (kind === 'kv') {
    const version = options['version'] ?? (values.type === 'kv-v2' ? '2' : '1');
    if (version !== '2')
      throw new LockstepError(
        'invalid-input',
        'kv is offered in version 2 only: set options.version to "2", or use type kv-v2',
      );
    options['version'] = version;
  }
  const unknown = Object.keys(options).filter((name) => !(kind === 'kv' && name === 'version'));
  if (unknown.length > 0) throw new LockstepError('invalid-input', `options has unknown keys: ${unknown.join(', ')}`);
  return Object.entries(options).map(([key, value]) => ({ key, value }));
}

/** Unmounts; what was stored there can't be reached any more. A path where nothing is mounted is no error, as in Vault. */
export function disableMount(call: Call, path: string): Decision<SystemFact> {
  const mount = readMountTable(call.state).byPath.get(requireMountPath(path));
  if (mount === undefined) return { reply: {} };
  return { facts: [{ type: 'mountDisabled', id: mount.id }], expects: [unchanged(call.state, mountsKey)], reply: {} };
}

export interface TuneValues {
  readonly path: string;
  readonly description: string | undefined;
  readonly config: JsonObject;
  readonly options: { readonly [key: string]: string };
}

/** Changes a mount's settings; what isn't given stays. */
export function tuneMount(call: Call, values: TuneValues): Decision<SystemFact> {
  const mount = requireMount(call, values.path);
  const config = parseMountConfig(values.config);
  requireSameOptions(mount, values.options);
  const fact: SystemFact & { readonly type: 'mountTuned' } = {
    type: 'mountTuned',
    id: mount.id,
    description: values.description ?? mount.description,
    options: mount.options,
    defaultLeaseTtlSeconds: config.defaultLeaseTtlSeconds ?? mount.defaultLeaseTtlSeconds,
    maxLeaseTtlSeconds: config.maxLeaseTtlSeconds ?? mount.maxLeaseTtlSeconds,
    isListed: config.isListed ?? mount.isListed,
  };
  requireTtlOrder(fact);
  return { facts: [fact], expects: [unchanged(call.state, mountsKey)], reply: {} };
}

// Vault upgrades kv from version 1 to 2 by this; here every kv has version 2 already.
function requireSameOptions(mount: MountRecord, given: { readonly [key: string]: string }): void {
  const changed = Object.keys(given).find(
    (key) => mount.options.find((option) => option.key === key)?.value !== given[key],
  );
  if (changed !== undefined) throw new LockstepError('invalid-input', 'options of a mount cannot be changed');
}

/** Terraform takes these words, with 400, for "not there". */
export function requireMount(call: Call, path: string): MountRecord {
  const wanted = requireMountPath(path);
  const mount = readMountTable(call.state).byPath.get(wanted);
  if (mount === undefined) throw new LockstepError('invalid-input', `No secret engine mount at ${wanted}`);
  return mount;
}

function uuidOf(bytes: Buffer): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
