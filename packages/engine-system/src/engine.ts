// START HERE: one row for each route. Mounted at sys/; what a node answers by itself (health, seal, leader) is the server's.
import { defineEngine, type Engine, type Route, routesOf } from '@lockstep/contract/engine';
import { mapField, objectField, textField } from '@lockstep/contract/fields';
import type { JsonObject } from '@lockstep/contract/json';
import { apply } from './apply.ts';
import { disableMount, enableMount, requireMount, tuneMount } from './change-mounts.ts';
import { type SystemFact, systemFacts } from './facts.ts';
import { defaultTtlSeconds, descriptionLengthMax } from './limits.ts';
import { mountReply, mountsReply, systemMountRecord, tokenMountRecord } from './mount-replies.ts';
import { mountAt, readMountTable } from './mount-table.ts';
import { LockstepError } from '@lockstep/contract/errors';

const route = routesOf<SystemFact>();
const path = textField({ description: 'Path of the mount', required: true });
const tuneFields = {
  default_lease_ttl: textField({ description: 'Default lease of what the mount gives out' }),
  max_lease_ttl: textField({ description: 'Longest lease of what the mount gives out' }),
  listing_visibility: textField({ description: 'unauth shows the mount before a login' }),
  token_type: textField({ description: 'Only for auth mounts; not offered' }),
  plugin_version: textField({ description: 'Not offered: engines are built in' }),
  description: textField({ description: 'For people to read', max: descriptionLengthMax }),
};

const routes: readonly Route<SystemFact>[] = [
  route({
    operation: 'read',
    path: 'mounts',
    summary: 'List the mounts',
    fields: {},
    handle: (call) => ({ reply: { data: mountsReply([systemMountRecord, ...readMountTable(call.state).mounts]) } }),
  }),
  route({
    operation: 'read',
    path: 'auth',
    summary: 'List the auth methods',
    fields: {},
    handle: () => ({ reply: { data: mountsReply([tokenMountRecord]) } }),
  }),
  route({
    operation: 'read',
    path: 'mounts/:path*',
    summary: 'Read a mount',
    fields: { path },
    handle: (call, fields) => readOrTuned(call, fields.path),
  }),
  route({
    operation: 'write',
    path: 'mounts/:path*',
    summary: 'Mount an engine, or (with /tune at the end) change its settings',
    needsSudo: true,
    fields: {
      path,
      type: textField({ description: 'kv (version 2), kv-v2 or pki', default: '' }),
      config: objectField({ description: 'default_lease_ttl, max_lease_ttl, listing_visibility', default: {} }),
      options: mapField({ description: 'Options of the engine: version "2" for kv', default: {} }),
      ...tuneFields,
    },
    handle: (call, fields) => {
      const { path: at, type, config, options, description, ...tune } = fields;
      const given = tunePath(at);
      if (given !== undefined)
        return tuneMount(call, { path: given, description, config: { ...config, ...definedOnly(tune) } });
      return enableMount(call, { path: at, type, config, options, description: description ?? '' });
    },
  }),
  route({
    operation: 'delete',
    path: 'mounts/:path*',
    summary: 'Unmount an engine, with all that it holds',
    needsSudo: true,
    fields: { path },
    handle: (call, fields) => disableMount(call, fields.path),
  }),
  route({
    operation: 'read',
    path: 'internal/ui/mounts/:path*',
    summary: 'Which mount a path lies in (asked by the kv commands before anything else)',
    fields: { path },
    handle: (call, fields) => {
      const found = mountAt(call.state, fields.path);
      const mount = found === undefined ? undefined : readMountTable(call.state).byPath.get(found.view.path);
      // Never 404: clients would take it for version 1.
      if (mount === undefined)
        throw new LockstepError(
          'denied',
          `preflight capability check returned 403, please ensure client's policies grant access to path "${fields.path}/"`,
        );
      return { reply: { data: { ...mountReply(mount), path: mount.path } } };
    },
  }),
];

type ReadCall = Parameters<typeof requireMount>[0];

function readOrTuned(call: ReadCall, at: string): { readonly reply: { readonly data: JsonObject } } {
  const tuned = tunePath(at);
  const mount = requireMount(call, tuned ?? at);
  if (tuned === undefined) return { reply: { data: mountReply(mount) } };
  const ttls = {
    default_lease_ttl: mount.defaultLeaseTtlSeconds || defaultTtlSeconds,
    max_lease_ttl: mount.maxLeaseTtlSeconds || defaultTtlSeconds,
  };
  return {
    reply: {
      data: { ...ttls, description: mount.description, force_no_cache: false, options: mountReply(mount)['options'] },
    },
  };
}

/** `pki/tune` is the settings of `pki`. */
function tunePath(at: string): string | undefined {
  return at.endsWith('/tune') ? at.slice(0, -'/tune'.length) : undefined;
}

function definedOnly(values: { readonly [name: string]: string | undefined }): JsonObject {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

export const systemEngine: Engine = defineEngine<SystemFact>({
  kind: 'system',
  description: 'mounts and what the cluster is made of',
  facts: systemFacts,
  routes,
  apply,
});
