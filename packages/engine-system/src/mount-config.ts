import { parseDuration } from '@lockstep/contract/duration';
import { LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import { defaultTtlSeconds } from './limits.ts';

export interface MountConfig {
  readonly defaultLeaseTtlSeconds: number | undefined;
  readonly maxLeaseTtlSeconds: number | undefined;
  readonly isListed: boolean | undefined;
}

/** Settings that Vault has and that change nothing here when they are at their default. */
const ignoredAtDefault: { readonly [name: string]: readonly unknown[] } = {
  force_no_cache: [false],
  plugin_version: [''],
  token_type: ['', 'default-service'],
  user_lockout_config: [],
};

/** Reads a mount's `config`, or the fields of `tune`. What isn't offered is refused by name, never ignored. */
export function parseMountConfig(raw: JsonObject): MountConfig {
  for (const [name, value] of Object.entries(raw)) {
    if (
      ['default_lease_ttl', 'max_lease_ttl', 'listing_visibility'].includes(name) ||
      value === null ||
      value === undefined
    )
      continue;
    const isDefault = ignoredAtDefault[name]?.includes(value) === true || (Array.isArray(value) && value.length === 0);
    if (!isDefault) throw new LockstepError('invalid-input', `${name} is not offered for mounts`);
  }
  const ttl = (name: string): number | undefined => {
    const given = raw[name];
    if (given === undefined || given === null || given === '' || given === 'system')
      return given === 'system' ? 0 : undefined;
    return parseDuration(name, given);
  };
  return {
    defaultLeaseTtlSeconds: ttl('default_lease_ttl'),
    maxLeaseTtlSeconds: ttl('max_lease_ttl'),
    isListed: visibility(raw['listing_visibility']),
  };
}

/** Refuses a default that is longer than the largest, where 0 is the system's. */
export function requireTtlOrder(mount: {
  readonly defaultLeaseTtlSeconds: number;
  readonly maxLeaseTtlSeconds: number;
}): void {
  if (mount.defaultLeaseTtlSeconds > (mount.maxLeaseTtlSeconds || defaultTtlSeconds))
    throw new LockstepError('invalid-input', 'default_lease_ttl must not be longer than max_lease_ttl');
}

function visibility(given: JsonObject[string]): boolean | undefined {
  if (given === undefined || given === null) return undefined;
  if (given === 'unauth') return true;
  if (given === '' || given === 'hidden') return false;
  throw new LockstepError('invalid-input', 'listing_visibility must be unauth or hidden');
}
