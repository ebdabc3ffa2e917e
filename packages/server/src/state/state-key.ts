import { assert, LockstepError } from '@lockstep/contract/errors';
import type { MountId, NamespaceId } from '@lockstep/contract/ids';
import { idCharsMax, keyBytesMax } from './limits.ts';

// Keys in LevelDB:
//   m/identity  m/applied  m/control  m/installed  m/restored  m/digest      about the state itself, readable without a key
//   s/<namespace>/<mount>/<key>                        what engines keep; values are sealed

export const statePrefix = 's/';
export const identityKey = 'm/identity';
export const appliedKey = 'm/applied';
export const controlKey = 'm/control';
export const installedKey = 'm/installed';
export const restoredKey = 'm/restored';
export const digestKey = 'm/digest';

/** What every key of a mount begins with. */
export function mountPrefix(namespace: NamespaceId, mount: MountId): string {
  for (const id of [namespace, mount])
    assert(/^[^/]+$/.test(id) && id.length <= idCharsMax && id.isWellFormed(), `no id of a namespace or mount: ${id}`);
  return `${statePrefix}${namespace}/${mount}/`;
}

/** Refuses what can't be a key: the same on every node, before anything is written. */
export function checkKey(key: string): void {
  if (key.length === 0) throw new LockstepError('invalid-input', 'a state key must not be empty');
  // A lone surrogate has no UTF-8: two keys would become one on disk.
  if (!key.isWellFormed()) throw new LockstepError('invalid-input', 'a state key must be well-formed text');
  if (key.length * 3 > keyBytesMax && Buffer.byteLength(key) > keyBytesMax)
    throw new LockstepError('too-large', `a state key has at most ${keyBytesMax} bytes, not ${Buffer.byteLength(key)}`);
}

/** The first byte string after all those that begin with `prefix`: UTF-8 never has a byte 0xff. */
export function endOfPrefix(prefix: string): Buffer {
  return Buffer.concat([Buffer.from(prefix), Buffer.from([0xff])]);
}
