// START HERE: one row for each route. Mounted at sys/; what a node answers by itself (health, seal, leader) is the server's.
import { type Call, type Decision, defineEngine, type Engine, type Route, routesOf } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { booleanField, mapField, objectField, textField } from '@lockstep/contract/fields';
import type { JsonObject } from '@lockstep/contract/json';
import { apply } from './apply.ts';
import { autopilotRoutes } from './autopilot-routes.ts';
import { authMountReply, refuseAuthChange } from './auth-mounts.ts';
import { disableMount, enableMount, requireMount, tuneMount } from './change-mounts.ts';
import { type MountRecord, type SystemFact, systemFacts } from './facts.ts';
import { descriptionLengthMax } from './limits.ts';
import { mountReply, mountsReply, systemMountRecord, tokenMountRecord, tuneReply } from './mount-replies.ts';
import { mountRecordAt, readMountTable } from './mount-table.ts';
import { tunePath } from './tune-path.ts';

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
const notOffered = {
  local: booleanField({ description: 'Not offered: every mount is replicated', default: false }),
  seal_wrap: booleanField({ description: 'Not offered: every value is sealed', default: false }),
  external_entropy_access: booleanField({ description: 'Not offered', default: false }),
};

const mounts: readonly Route<SystemFact>[] = [
  route({
    operation: 'read',
    path: 'mounts',
    summary: 'List the mounts',
    fields: {},
    handle: (call) => ({ reply: { data: mountsReply([systemMountRecord, ...readMountTable(call.state).mounts]) } }),
  }),
  route({
    operation: 'read',
    path: 'mounts/:path*',
    summary: 'Read a mount, or (with /tune at the end) its settings in force',
    fields: { path },
    handle: (call, fields) => ({ reply: { data: readMount(call, fields.path) } }),
  }),
  route({
    operation: 'write',
    path: 'mounts/:path*',
    summary: 'Mount an engine, or (with /tune at the end) change its settings',
    fields: {
      path,
      type: textField({ description: 'kv (version 2), kv-v2 or pki', default: '' }),
      config: objectField({ description: 'default_lease_ttl, max_lease_ttl, listing_visibility', default: {} }),
      options: mapField({ description: 'Options of the engine: version "2" for kv', default: {} }),
      ...tuneFields,
      ...notOffered,
    },
    handle: (call, fields) => writeMount(call, fields),
  }),
  route({
    operation: 'delete',
    path: 'mounts/:path*',
    summary: 'Unmount an engine, with all that it holds',
    fields: { path },
    handle: (call, fields) => disableMount(call, fields.path),
  }),
  route({
    operation: 'write',
    path: 'remount',
    summary: 'Not offered yet',
    needsSudo: true,
    fields: {},
    handle: () => {
      throw new LockstepError('failed-precondition', 'mounts cannot be moved to another path yet');
    },
  }),
];

const authMethods: readonly Route<SystemFact>[] = [
  route({
    operation: 'read',
    path: 'auth',
    summary: 'List the auth methods',
    fields: {},
    handle: () => ({ reply: { data: mountsReply([tokenMountRecord]) } }),
  }),
  route({
    operation: 'read',
    path: 'auth/:path*',
    summary: 'Read an auth method, or (with /tune at the end) its settings in force',
    fields: { path },
    handle: (_call, fields) => ({ reply: { data: authMountReply(fields.path) } }),
  }),
  ...(['write', 'delete'] as const).map((operation) =>
    route({
      operation,
      path: 'auth/:path*',
      summary: 'Not offered yet',
      needsSudo: true,
      fields: { path },
      handle: refuseAuthChange,
    }),
  ),
];

const forClients: readonly Route<SystemFact>[] = [
  route({
    operation: 'read',
    path: 'internal/ui/mounts',
    summary: 'List the mounts and auth methods that the caller may know of, as consoles ask for them',
    fields: {},
    isPublic: true,
    handle: (call) => ({
      reply: {
        data: {
          auth: mountsReply([tokenMountRecord].filter((mount) => mayKnow(call, mount, 'auth/'))),
          secret: mountsReply(readMountTable(call.state).mounts.filter((mount) => mayKnow(call, mount))),
        },
      },
    }),
  }),
  route({
    operation: 'read',
    path: 'internal/ui/mounts/:path*',
    summary: 'Which mount a path lies in (asked by the kv commands before anything else)',
    fields: { path },
    isPublic: true,
    handle: (call, fields) => {
      const mount = mountRecordAt(call.state, fields.path);
      // Never 404: clients would take it for version 1.
      if (mount === undefined || call.caller?.mayUseBelow(mount.path) !== true)
        throw new LockstepError(
          'denied',
          `preflight capability check returned 403, please ensure client's policies grant access to path "${fields.path}/"`,
        );
      return { reply: { data: { ...mountReply(mount), path: mount.path } } };
    },
  }),
];

/** Whoever may use anything in a mount may know that it is there; one that is listed, anybody. */
function mayKnow(call: Call, mount: MountRecord, above: string = ''): boolean {
  return mount.isListed || call.caller?.mayUseBelow(above + mount.path) === true;
}

function readMount(call: Call, at: string): JsonObject {
  const tuned = tunePath(at);
  // The settings of auth methods are read here too, as Vault's clients do.
  if (tuned?.startsWith('auth/') === true) return authMountReply(at.slice('auth/'.length));
  const wanted = tuned ?? at;
  const mount = wanted === 'sys' ? systemMountRecord : requireMount(call, wanted);
  return tuned === undefined ? mountReply(mount) : tuneReply(mount);
}

interface MountFields {
  readonly path: string;
  readonly type: string;
  readonly config: JsonObject;
  readonly options: { readonly [key: string]: string };
  readonly description: string | undefined;
  readonly default_lease_ttl: string | undefined;
  readonly max_lease_ttl: string | undefined;
  readonly listing_visibility: string | undefined;
  readonly token_type: string | undefined;
  readonly plugin_version: string | undefined;
  readonly local: boolean;
  readonly seal_wrap: boolean;
  readonly external_entropy_access: boolean;
}

function writeMount(call: Call, fields: MountFields): Decision<SystemFact> {
  const { path: at, type, config, options, description, local, seal_wrap, external_entropy_access, ...tune } = fields;
  const wanted = Object.entries({ local, seal_wrap, external_entropy_access }).find(([, isWanted]) => isWanted);
  if (wanted !== undefined) throw new LockstepError('invalid-input', `${wanted[0]} is not offered for mounts`);
  const settings = { ...config, ...definedOnly(tune) };
  const tuned = tunePath(at);
  if (tuned === undefined)
    return enableMount(call, { path: at, type, config: settings, options, description: description ?? '' });
  if (tuned === 'sys' || tuned.startsWith('auth/'))
    throw new LockstepError('failed-precondition', `${tuned} cannot be tuned yet`);
  return tuneMount(call, { path: tuned, description, config: settings, options });
}

function definedOnly(values: { readonly [name: string]: string | undefined }): JsonObject {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

export const systemEngine: Engine = defineEngine<SystemFact>({
  kind: 'system',
  description: 'mounts and what the cluster is made of',
  facts: systemFacts,
  routes: [...mounts, ...authMethods, ...forClients, ...autopilotRoutes],
  apply,
});
