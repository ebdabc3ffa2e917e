import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { playRecording } from '../recorded/play-recording.fixture.ts';
import type { RecordedNode } from '../recorded/recorded-node.fixture.ts';
import { recordingsFolder } from '../recorded/recording.fixture.ts';
import { savesAtOnceMax } from './limits.ts';
import type { SnapshotSaver } from './save-snapshot.ts';
import { saverOf } from './save-to-memory.fixture.ts';

let node: RecordedNode;
let directory: string;
afterEach(async () => {
  await node.close();
  rmSync(directory, { recursive: true });
});

async function openSaver(): Promise<SnapshotSaver> {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-saver-'));
  node = await playRecording(join(recordingsFolder, 'v1'), { directory, from: 'the first entry' });
  return saverOf(node);
}

test('no more snapshots are saved at once than the bound; one that is closed makes room, once', async () => {
  const saver = await openSaver();
  const begun = [];
  for (let n = 0; n < savesAtOnceMax; n++) begun.push(await saver.save());
  await expect(saver.save()).rejects.toMatchObject({
    code: 'rate-limited',
    message: `${savesAtOnceMax} snapshots are being saved from this node already`,
  });
  await begun[0]?.close();
  await begun[0]?.close();
  begun.push(await saver.save());
  await expect(saver.save()).rejects.toMatchObject({ code: 'rate-limited' });
  for (const stream of begun) await stream.close();
});

test('a snapshot of a node that is sealed meanwhile is cut, and none begins', async () => {
  const saver = await openSaver();
  const { chunks, close } = await saver.save();
  const read = chunks[Symbol.asyncIterator]();
  expect((await read.next()).done).toBe(false);
  node.keeper.seal();
  await expect(read.next()).rejects.toMatchObject({ code: 'sealed' });
  await close();
  await expect(saver.save()).rejects.toMatchObject({ code: 'sealed' });
});
