import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { LogIndex } from '@lockstep/contract/ids';
import type { MemoryLogImage } from '@lockstep/core/log/memory-log';
import type { Entry, Membership, SnapshotMeta } from '@lockstep/core/raft/types';
import { openRecordedNode, type RecordedNode, recordedNodeId, until } from './recorded-node.fixture.ts';
import { readEntries, readRecording, savedFiles } from './recording.fixture.ts';

export type PlayedFrom = 'the first entry' | 'the snapshot';

/** A node with a recording's log, once its state holds all of it. `directory` is empty, or holds the state as of the snapshot. */
export async function playRecording(
  folder: string,
  to: {
    readonly directory: string;
    readonly from: PlayedFrom;
    /** In force instead of the recorded one. */
    readonly membership?: Membership;
    readonly freeBytes?: (directory: string) => Promise<number>;
  },
): Promise<RecordedNode> {
  const { clusterId, staticKey, endMs, snapshot } = readRecording(folder);
  const entries = readEntries(folder);
  const [first, last] = [entries.at(0), entries.at(-1)];
  if (first === undefined || last === undefined) throw new Error('the recording is empty');
  const membership = to.membership ?? snapshot.membership;
  const start = { id: '', index: LogIndex(0), term: first.term, membership };
  const restores = join(to.directory, 'restores');
  mkdirSync(restores, { recursive: true });
  for (const name of savedFiles(folder)) copyFileSync(join(folder, name), join(restores, name));
  const node = await openRecordedNode({
    image: imageOf(entries, to.from === 'the snapshot' ? { ...snapshot, membership } : start),
    directory: to.directory,
    clusterId,
    staticKey: Buffer.from(staticKey, 'hex'),
    startMs: endMs,
    ...(to.freeBytes === undefined ? {} : { freeBytes: to.freeBytes }),
  });
  await until('the log is applied', () => node.state.appliedIndex >= last.index);
  return node;
}

/** All committed entries of a recording from `snapshot` on, as a log. */
function imageOf(entries: readonly Entry[], snapshot: SnapshotMeta): MemoryLogImage {
  const last = entries.at(-1);
  if (last === undefined) throw new Error('the recording is empty');
  return {
    hardState: { term: last.term, vote: recordedNodeId, commit: last.index },
    snapshot,
    membership: snapshot.membership,
    appliedMembershipIndex: snapshot.index,
    entries: entries.filter((entry) => entry.index > snapshot.index),
  };
}
