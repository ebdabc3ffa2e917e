import type { JsonObject } from '@lockstep/contract/json';
import type { MountRecord } from './facts.ts';
import { defaultTtlSeconds } from './limits.ts';

/** One mount, with every key that Vault's clients read. */
export function mountReply(mount: MountRecord): JsonObject {
  return {
    uuid: mount.uuid,
    type: mount.kind,
    description: mount.description,
    accessor: mount.accessor,
    config: {
      default_lease_ttl: mount.defaultLeaseTtlSeconds,
      max_lease_ttl: mount.maxLeaseTtlSeconds,
      force_no_cache: false,
      ...(mount.isListed ? { listing_visibility: 'unauth' } : {}),
    },
    options:
      mount.options.length === 0 ? null : Object.fromEntries(mount.options.map(({ key, value }) => [key, value])),
    local: false,
    seal_wrap: false,
    external_entropy_access: false,
    plugin_version: '',
    running_plugin_version: '',
    running_sha256: '',
    deprecation_status: '',
  };
}

const builtIn = {
  id: '',
  namespace: 'root',
  options: [],
  defaultLeaseTtlSeconds: 0,
  maxLeaseTtlSeconds: 0,
  createdMs: 0,
  isListed: false,
} as const;

/** `sys/` is always there, and listed, as Vault does. */
export const systemMountRecord: MountRecord = {
  ...builtIn,
  kind: 'system',
  path: 'sys/',
  description: 'system endpoints used for control, policy and debugging',
  accessor: 'system_00000000',
  uuid: '00000000-0000-4000-8000-000000000001',
};
export const tokenMountRecord: MountRecord = {
  ...builtIn,
  kind: 'token',
  path: 'token/',
  description: 'token based credentials',
  accessor: 'auth_token_00000000',
  uuid: '00000000-0000-4000-8000-000000000002',
};

/** The settings in force, which `tune` reads. */
export function tuneReply(mount: MountRecord): JsonObject {
  const { options } = mountReply(mount);
  return {
    default_lease_ttl: mount.defaultLeaseTtlSeconds || defaultTtlSeconds,
    max_lease_ttl: mount.maxLeaseTtlSeconds || defaultTtlSeconds,
    description: mount.description,
    force_no_cache: false,
    ...(mount.isListed ? { listing_visibility: 'unauth' } : {}),
    ...(mount.kind === 'token' ? { token_type: 'default-service' } : {}),
    options: options ?? null,
  };
}

export function mountsReply(mounts: readonly MountRecord[]): JsonObject {
  return Object.fromEntries(mounts.map((mount) => [mount.path, mountReply(mount)]));
}
