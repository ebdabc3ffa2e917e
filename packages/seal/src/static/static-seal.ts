import { closeSync, fstatSync, openSync, readSync, writeFileSync } from 'node:fs';
import { LockstepError } from '@lockstep/contract/errors';
import type { AutoSeal } from '@lockstep/contract/seal';
import { Secret } from '@lockstep/contract/secret';
import { BatchSealer, RecordOpener, saltBytes } from '../aead.ts';
import { freshKey } from '../keyring.ts';
import { keyObjectOf } from '../key-object.ts';
import { staticKeyBytes } from '../limits.ts';
import type { Random } from '../random.ts';

export const staticKind = 'static';

/** A seal that opens itself with a key beside the data: only for development, where the server alone accepts it. */
export function staticSeal({ key, random }: { readonly key: Secret; readonly random: Random }): AutoSeal {
  const useKey = { version: 0, key: keyObjectOf(key) };
  const context = { clusterId: staticKind, purpose: 'root-key' };
  return {
    kind: staticKind,
    wrap: async (rootKey, place) =>
      new BatchSealer({ useKey, context, salt: random(saltBytes) }).seal(place, rootKey.reveal()),
    unwrap: async (wrapped, place) => {
      try {
        return new Secret(new RecordOpener({ context, keyOf: () => useKey.key }).open(place, wrapped));
      } catch (cause) {
        throw new LockstepError('denied', 'the static key does not open the root key', { cause });
      }
    },
  };
}

/** Reads a key file: exactly 32 bytes, a regular file that neither group nor others may read. Refuses others with `invalid-input`. */
export function readStaticKey(path: string): Secret {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (cause) {
    throw new LockstepError('unavailable', `static seal key ${path} can't be opened`, { cause });
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile() || stat.size !== staticKeyBytes)
      throw new LockstepError(
        'invalid-input',
        `static seal key ${path} must be a file of exactly ${staticKeyBytes} bytes`,
      );
    if ((stat.mode & 0o077) !== 0)
      throw new LockstepError(
        'invalid-input',
        `static seal key ${path} must not be open to group or others (chmod 600)`,
      );
    const key = new Secret(Buffer.allocUnsafeSlow(staticKeyBytes));
    if (readSync(descriptor, key.reveal(), 0, staticKeyBytes, 0) !== staticKeyBytes)
      throw new LockstepError('unavailable', `static seal key ${path} was cut short`);
    return key;
  } finally {
    closeSync(descriptor);
  }
}

/** Makes a key file (mode 0600). Refuses with `failed-precondition` where one is already: overwriting it would lose the cluster. */
export function createStaticKey({ path, random }: { readonly path: string; readonly random: Random }): Secret {
  const key = freshKey(random);
  try {
    writeFileSync(path, key.reveal(), { flag: 'wx', mode: 0o600, flush: true });
  } catch (cause) {
    throw new LockstepError('failed-precondition', `static seal key ${path} can't be made, or is there already`, {
      cause,
    });
  }
  return key;
}
