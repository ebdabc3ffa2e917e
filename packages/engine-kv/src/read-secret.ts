import type { Call, Decision } from '@lockstep/contract/engine';
import { assert } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import type { KvFact } from './facts.ts';
import { versionKey } from './keys.ts';
import { isGone, readMetadata, readSettings } from './records.ts';
import { nothingThere, versionGone, versionReply } from './replies.ts';
import { decodeSecret, subkeysOf } from './secret-json.ts';
import { requireSecretPath } from './secret-path.ts';

interface FoundVersion {
  readonly version: number;
  readonly data: JsonObject;
  readonly metadata: JsonObject;
}

/**
 * The newest version, or the one asked for (not 0). Throws `not-found`: plain where there is none; where it was deleted or destroyed, with
 * its metadata and null under the name of what was asked for.
 */
export function findVersion(
  call: Call,
  asked: { readonly path: string; readonly version: number; readonly replyName: 'data' | 'subkeys' },
): FoundVersion {
  const path = requireSecretPath(asked.path);
  const all = readMetadata(call.state, path);
  const number = asked.version === 0 ? all?.currentVersion : asked.version;
  const version = all?.versions.find((one) => one.version === number);
  if (version === undefined) throw nothingThere();
  const metadata = versionReply(version, readSettings(call.state, path));
  if (isGone(version, call.now)) throw versionGone({ [asked.replyName]: null, metadata });
  const stored = call.state.get(versionKey(path, version.version));
  assert(stored !== undefined, 'a version that is not destroyed holds something');
  return { version: version.version, data: decodeSecret(stored), metadata };
}

export function readSecret(call: Call, asked: { readonly path: string; readonly version: number }): Decision<KvFact> {
  const { data, metadata } = findVersion(call, { ...asked, replyName: 'data' });
  return { reply: { data: { data, metadata } } };
}

/** The structure of a secret without its values. */
export function readSubkeys(
  call: Call,
  asked: { readonly path: string; readonly version: number; readonly depth: number },
): Decision<KvFact> {
  const { data, metadata } = findVersion(call, { ...asked, replyName: 'subkeys' });
  return { reply: { data: { metadata, subkeys: subkeysOf(data, asked.depth) } } };
}
