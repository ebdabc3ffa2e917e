import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { encodeControlEntry } from '../control-entry.ts';
import { playRecording } from '../recorded/play-recording.fixture.ts';
import { openRecordedNode, type RecordedNode, until } from '../recorded/recorded-node.fixture.ts';
import { takeSnapshot } from '../recorded/record.fixture.ts';
import { readRecording, recordingsFolder } from '../recorded/recording.fixture.ts';
import { openState } from '../state/state-db.ts';
import { snapshotsDirectory } from '../state/state-directory.ts';
import { saveToMemory } from '../saved/save-to-memory.fixture.ts';

const recording = join(recordingsFolder, 'v1');
const { clusterId, rootToken, staticKey, endMs } = readRecording(recording);
let directory: string;
let node: RecordedNode;
afterEach(async () => {
  await node.close();
  rmSync(directory, { recursive: true });
});

async function begin(): Promise<void> {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-restores-'));
  node = await playRecording(recording, { directory, from: 'the first entry' });
}

const place = () => ({ directory, clusterId, staticKey: Buffer.from(staticKey, 'hex'), startMs: endMs });

/** Ends the process as it were, and starts it again. */
async function restart(): Promise<void> {
  const image = node.image();
  await node.close();
  node = await openRecordedNode({ ...place(), image });
}

const save = (): Promise<Buffer> => saveToMemory(node);

const idOf = (file: Buffer): string => file.subarray(-32).toString('hex');

function order(savedId: string, timeMs = node.clock.wallMs()): void {
  const restore = { savedId, timeMs, versionOffset: 0 };
  const data = encodeControlEntry({ seal: undefined, founding: new Uint8Array(0), restore });
  node.consensus.proposeControl(data, () => undefined);
}

function rotate(): void {
  const seal = node.keeper.barrier.rotated({ nowMs: node.clock.wallMs() });
  node.consensus.proposeControl(
    encodeControlEntry({ seal, founding: new Uint8Array(0), restore: undefined }),
    () => undefined,
  );
}

const keyVersion = (): number => {
  const { state } = node.keeper.barrier;
  return state.state === 'unsealed' ? state.keyring.activeVersion : 0;
};

const write = (n: number): Promise<unknown> =>
  node.ask({ operation: 'write', path: 'secret/data/n', data: { data: { n } }, token: rootToken });
const read = async (): Promise<unknown> =>
  (await node.ask({ operation: 'read', path: 'secret/data/n', token: rootToken })).data?.['data'];

async function* once(file: Uint8Array): AsyncGenerator<Uint8Array> {
  yield file;
}

/** The file comes to the node, as from another. */
const give = (file: Buffer): Promise<unknown> => node.folder.write(once(file), () => undefined);
const isPending = (): boolean => node.restores.pending !== undefined;

describe('a restore whose file is nowhere yet', () => {
  test('holds up what follows it, control entries included, through restarts, until the file is there', async () => {
    await begin();
    await write(1);
    const file = await save();
    await write(2);
    const before = node.state.appliedIndex;
    const versionBefore = keyVersion();
    order(idOf(file));
    rotate();
    await until('the restore is committed', isPending);
    const ordered = node.restores.pending?.index ?? expect.unreachable();
    await until('what follows is committed', () => node.consensus.status().raft.commit > ordered);
    expect([node.state.appliedIndex, keyVersion()]).toEqual([before, versionBefore]);

    await restart();
    await until('the restore is found in the log again', isPending);
    expect(node.state.appliedIndex).toBeLessThan(ordered);
    expect(keyVersion()).toBe(versionBefore);
    await give(file);
    await until('it is in place', () => node.state.appliedIndex > ordered);
    expect(node.state.restored).toMatchObject({ index: ordered, savedId: idOf(file) });
    await until('the control entry after it is in force', () => keyVersion() === versionBefore + 1);
    expect(await read()).toEqual({ n: 1 });
    await write(3);

    await restart();
    expect([isPending(), keyVersion()]).toEqual([false, versionBefore + 1]);
    expect(await read()).toEqual({ n: 3 });
  });

  test('gives way to a later restore', async () => {
    await begin();
    await write(1);
    const file = await save();
    order('ab'.repeat(32));
    await until('the first is committed', isPending);
    order(idOf(file));
    await give(file);
    await until('the second is in place', () => node.state.restored?.savedId === idOf(file));
    await write(4);
    expect(await read()).toEqual({ n: 4 });
  });
});

test('a state that was replaced by one of before a restore, with the control record of after it, is restored again', async () => {
  await begin();
  await write(1);
  const file = await save();
  await give(file);
  await write(2);
  const earlier = await takeSnapshot(node.state);
  order(idOf(file));
  await until('it is in place', () => node.state.restored !== undefined && !isPending());
  const { controlIndex, controlRecord, appliedIndex } = node.state;
  const image = node.image();
  const folder = snapshotsDirectory(join(directory, 'state'));
  copyFileSync(join(folder, `${earlier.id}.snap`), join(directory, 'earlier'));
  await node.close();

  rmSync(join(directory, 'state'), { recursive: true });
  const state = await openState({
    directory: join(directory, 'state'),
    clusterId,
    values: () => undefined,
    hashKey: () => undefined,
    onFatal: () => expect.unreachable(),
  });
  renameSync(join(directory, 'earlier'), join(folder, `${earlier.id}.part`));
  const { snapshot } = readRecording(recording);
  const meta = { ...snapshot, ...earlier };
  expect(await new Promise((resolve) => state.installSnapshot(meta, resolve))).toBe(true);
  state.writeControl(controlIndex, controlRecord ?? expect.unreachable());
  await state.close();

  node = await openRecordedNode({ ...place(), image });
  await until('the log is applied', () => node.state.appliedIndex >= appliedIndex);
  expect(node.state.restored).toMatchObject({ index: appliedIndex });
  expect(await read()).toEqual({ n: 1 });
});

test("the log's time is no earlier than when the restore was ordered, on a node that starts again as on one that ran", async () => {
  await begin();
  const file = await save();
  await give(file);
  const later = node.clock.wallMs() + 3_600_000;
  order(idOf(file), later);
  await until('it is in place', () => node.state.restored !== undefined && !isPending());
  expect(node.machine.lastTimeMs()).toBe(later);
  await restart();
  expect(node.machine.lastTimeMs()).toBe(later);
});

test('a restore that a newer snapshot of another node passed is forgotten', async () => {
  await begin();
  order('cd'.repeat(32));
  await until('it is committed', isPending);
  const { index } = node.restores.pending ?? expect.unreachable();
  node.restores.overtaken(node.state.appliedIndex);
  expect(isPending()).toBe(true);
  node.restores.overtaken(index);
  expect(isPending()).toBe(false);
});

describe('what a node gives others', () => {
  test('is the file, in any pieces, and a receipt only while it holds it', async () => {
    await begin();
    const file = await save();
    const id = idOf(file);
    const receipt = { kind: 'receipt', id } as const;
    expect(await node.restores.read(receipt, { offset: 0, bytesMax: 1 })).toBeUndefined();
    await give(file);
    expect(await node.restores.read(receipt, { offset: 0, bytesMax: 1 })).toEqual({ data: Uint8Array.of(1), total: 1 });
    expect(await node.restores.read(receipt, { offset: 1, bytesMax: 1 })).toEqual({
      data: new Uint8Array(0),
      total: 1,
    });
    const asked = { kind: 'file', id } as const;
    const chunk = await node.restores.read(asked, { offset: 10, bytesMax: 100 });
    expect(chunk?.total).toBe(file.length);
    expect(Buffer.from(chunk?.data ?? []).equals(file.subarray(10, 110))).toBe(true);
    expect(await node.restores.read(asked, { offset: file.length + 1, bytesMax: 1 })).toBeUndefined();
    expect(await node.restores.read({ kind: 'file', id: '00'.repeat(32) }, { offset: 0, bytesMax: 1 })).toBeUndefined();
  });
});
