import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { Secret } from '@lockstep/contract/secret';
import { emptyMemoryLogImage, type MemoryLogImage } from '@lockstep/core/log/memory-log';
import { encodeMembershipChange } from '@lockstep/core/raft/membership-codec';
import { encodeMembers } from '@lockstep/core/raft/roster-codec';
import type { Entry, Membership, MembershipChange, SnapshotMeta } from '@lockstep/core/raft/types';
import { staticSeal } from '@lockstep/seal/seals';
import { foundCluster } from '../initialise-cluster.ts';
import type { StateDb } from '../state/state-db.ts';
import { snapshotsDirectory } from '../state/state-directory.ts';
import { openRecordedNode, type RecordedNode, recordedNodeId, until } from './recorded-node.fixture.ts';
import { digestOfSnapshot, type Recording, writeRecording } from './recording.fixture.ts';
import { Story } from './story.fixture.ts';

const membership: Membership = {
  voters: [recordedNodeId],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

/** Records the story as this version tells it, into a folder that must not be there yet. */
export async function record(folder: string, name: string): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-record-'));
  try {
    await recordIn(directory, { folder, name });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function recordIn(directory: string, to: { readonly folder: string; readonly name: string }): Promise<void> {
  const clusterId = `recorded-${to.name}`;
  // Made from the name, so that nobody takes it for a secret.
  const staticKey = createHash('sha256').update(`lockstep ${clusterId}`).digest();
  const founded = await foundCluster({
    clusterId,
    seal: { kind: 'auto', seal: staticSeal({ key: new Secret(Buffer.from(staticKey)), random: randomBytes }) },
    nowMs: Date.now(),
    random: randomBytes,
  });
  const rootToken = founded.rootToken.revealText();
  const place = { directory, clusterId, staticKey };
  const first = await openRecordedNode({ ...place, image: emptyMemoryLogImage(membership), startMs: Date.now() });
  first.consensus.proposeControl(founded.controlEntry, () => undefined);
  await until('the cluster is initialized', () => !first.keeper.isSealed && first.state.appliedIndex > 1);
  const story = new Story(first, rootToken);
  await story.begin();
  const taken = await takeSnapshot(first.state);
  const snapshot = readFileSync(fileOf(directory, taken.id));
  await story.goOn();
  const endedMs = first.clock.wallMs();
  const image = first.image();
  const saved = story.savedFile;
  if (saved === undefined) throw new Error('the story restores its state');
  await first.close();

  // A later run: another term, with a learner that came and went.
  const second = await openRecordedNode({ ...place, image: withMembers(image), startMs: endedMs });
  await second.ask({ operation: 'write', path: 'secret/data/last', data: { data: { n: 2 } }, token: rootToken });
  const answers = await answersOf(second, rootToken);
  const last = await takeSnapshot(second.state);
  const { entries } = second.image();
  const recording: Recording = {
    clusterId,
    staticKey: staticKey.toString('hex'),
    rootToken,
    endMs: second.clock.wallMs(),
    snapshot: metaOf(taken, image),
    snapshotDigest: await digestOfSnapshot(fileOf(directory, taken.id), taken.id, staticKey),
    digest: await digestOfSnapshot(fileOf(directory, last.id), last.id, staticKey),
    answers,
  };
  await second.close();
  writeRecording(to.folder, { recording, entries, snapshot, saved });
}

const fileOf = (directory: string, id: string): string =>
  join(snapshotsDirectory(join(directory, 'state')), `${id}.snap`);

export function takeSnapshot(state: StateDb): Promise<{ readonly id: string; readonly index: LogIndex }> {
  return new Promise((resolve, reject) =>
    state.takeSnapshot((taken) => (taken === undefined ? reject(new Error('no snapshot was taken')) : resolve(taken))),
  );
}

function metaOf(taken: { readonly id: string; readonly index: LogIndex }, image: MemoryLogImage): SnapshotMeta {
  const entry = image.entries.find(({ index }) => index === taken.index);
  if (entry === undefined) throw new Error('the snapshot is of no entry of the log');
  return { ...taken, term: entry.term, membership };
}

function withMembers(image: MemoryLogImage): MemoryLogImage {
  const last = image.entries.at(-1);
  if (last === undefined) throw new Error('the log is empty');
  const node = NodeId(2);
  const at = { peerAddress: '127.0.0.1:2', apiAddress: 'https://127.0.0.1:3', grpcAddress: '127.0.0.1:4' };
  const member = { node, name: 'n2', ...at, pin: 'ab'.repeat(32), incarnation: 7 };
  const changes: readonly MembershipChange[] = [
    { transition: 'auto', steps: [{ kind: 'add-learner', node }], context: encodeMembers([member]) },
    { transition: 'auto', steps: [{ kind: 'remove', node }], context: new Uint8Array(0) },
  ];
  const added = changes.map((change, position): Entry => {
    const data = encodeMembershipChange(change);
    return { index: LogIndex(last.index + 1 + position), term: last.term, type: 'membership', data };
  });
  const commit = LogIndex(last.index + added.length);
  return { ...image, hardState: { ...image.hardState, commit }, entries: [...image.entries, ...added] };
}

async function answersOf(node: RecordedNode, token: string): Promise<Recording['answers']> {
  const asked = await new Story(node, token).questions();
  const answers: Recording['answers'][number][] = [];
  for (const question of asked) {
    const { data } = await node.ask({ ...question, token });
    if (data === undefined) throw new Error(`${question.path} has no data`);
    answers.push({ asked: question, data });
  }
  return answers;
}
