import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { LockstepError } from '@lockstep/contract/errors';
import type { RecordSealer } from '@lockstep/seal/record-sealer';
import { type SnapshotHeader, SnapshotReader } from '../state/snapshot-file.ts';
import { chunkPlace, SavedFileParser, type SavedSnapshot } from './saved-file.ts';

/**
 * Writes the snapshot that a saved file holds into `target`, where nothing is before all of it was checked: the file's hash, each
 * chunk's seal, and the snapshot's own structure and hash. Refuses with `failed-precondition` what these keys don't open, and with
 * `invalid-input` a file that is damaged.
 */
export async function openSaved(from: {
  readonly path: string;
  readonly target: string;
  readonly sealer: RecordSealer;
}): Promise<{ readonly saved: SavedSnapshot; readonly header: SnapshotHeader }> {
  const { path, target, sealer } = from;
  const temporary = `${target}.new`;
  await rm(temporary, { force: true });
  try {
    const saved = await unseal(path, { temporary, sealer });
    const header = await readThrough(temporary, saved.snapshotId);
    await rename(temporary, target);
    return { saved, header };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function unseal(
  path: string,
  to: { readonly temporary: string; readonly sealer: RecordSealer },
): Promise<SavedSnapshot> {
  const target = await open(to.temporary, 'wx', 0o600);
  try {
    let headHash: Uint8Array = new Uint8Array(0);
    const opened: Buffer[] = [];
    const parser = new SavedFileParser({
      onHead: (_saved, hash) => {
        headHash = hash;
      },
      onChunk: (sealed, { number, isLast }) => {
        opened.push(openChunk(to.sealer, chunkPlace(headHash, number, isLast), sealed));
      },
    });
    const file: AsyncIterable<Buffer> = createReadStream(path);
    for await (const data of file) {
      parser.push(data);
      for (const plain of opened.splice(0)) await writeAll(target, plain);
    }
    return parser.finish().saved;
  } finally {
    await target.close();
  }
}

function openChunk(sealer: RecordSealer, place: Uint8Array, sealed: Uint8Array): Buffer {
  try {
    return sealer.open(place, sealed);
  } catch (cause) {
    if (!(cause instanceof LockstepError)) throw cause;
    throw new LockstepError(
      'failed-precondition',
      'the file is not sealed by keys of this cluster, or somebody changed it: restore it by force where its unseal keys are still there',
      { cause },
    );
  }
}

async function writeAll(target: FileHandle, data: Uint8Array): Promise<void> {
  for (let at = 0; at < data.length; ) at += (await target.write(data, at)).bytesWritten;
}

/** Checks a snapshot to its end. */
async function readThrough(path: string, id: string): Promise<SnapshotHeader> {
  const reader = await SnapshotReader.open(path, id);
  try {
    for await (const _records of reader.records());
    return reader.header;
  } finally {
    await reader.close();
  }
}
