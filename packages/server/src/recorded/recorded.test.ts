import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tokenFacts } from '@lockstep/auth/token/facts';
import { type Codec, WireError } from '@lockstep/contract/wire';
import { kvFacts } from '@lockstep/engine-kv/facts';
import { pkiFacts } from '@lockstep/engine-pki/facts';
import { systemFacts } from '@lockstep/engine-system/facts';
import { policyFacts } from '@lockstep/policy/facts';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeControlEntry } from '../control-entry.ts';
import * as engines from '../engines.ts';
import { hostFacts } from '../host-facts.ts';
import { openState, type StateDb } from '../state/state-db.ts';
import { snapshotsDirectory } from '../state/state-directory.ts';
import { takeSnapshot } from './record.fixture.ts';
import { type PlayedFrom, playRecording } from './play-recording.fixture.ts';
import type { RecordedNode } from './recorded-node.fixture.ts';
import {
  digestOfSnapshot,
  factKinds,
  readEntries,
  readRecording,
  recordingsFolder,
  snapshotPath,
  transactionsOf,
} from './recording.fixture.ts';

const names = readdirSync(recordingsFolder);
const recordings = names.map((name) => join(recordingsFolder, name));
const keyOf = (folder: string): Buffer => Buffer.from(readRecording(folder).staticKey, 'hex');

const folders: string[] = [];
const newFolder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'lockstep-recorded-'));
  folders.push(made);
  return made;
};
const nodes: RecordedNode[] = [];
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close();
  for (const made of folders.splice(0)) rmSync(made, { recursive: true });
});

async function play(folder: string, directory: string, from: PlayedFrom): Promise<RecordedNode> {
  const node = await playRecording(folder, { directory, from });
  nodes.push(node);
  return node;
}

async function digestOf(state: StateDb, folder: string, directory: string): Promise<string> {
  const { id } = await takeSnapshot(state);
  return digestOfSnapshot(join(snapshotsDirectory(join(directory, 'state')), `${id}.snap`), id, keyOf(folder));
}

async function expectAnswers(node: RecordedNode, folder: string): Promise<void> {
  const { answers, rootToken } = readRecording(folder);
  for (const { asked, data } of answers) {
    const reply = await node.ask({ ...asked, token: rootToken });
    // Later versions may answer more.
    expect({ asked, data: reply.data }).toMatchObject({ asked, data });
  }
}

/** A state that was replaced by the recorded snapshot, closed again. */
async function installRecorded(folder: string, directory: string): Promise<void> {
  const { clusterId, snapshot } = readRecording(folder);
  const fails = (error: unknown): never => {
    throw error;
  };
  const state = await openState({
    directory: join(directory, 'state'),
    clusterId,
    values: () => undefined,
    hashKey: () => undefined,
    onFatal: fails,
    onSnapshotFailure: fails,
  });
  copyFileSync(snapshotPath(folder), join(snapshotsDirectory(join(directory, 'state')), `${snapshot.id}.part`));
  const isInstalled = await new Promise<boolean>((resolve) => state.installSnapshot(snapshot, resolve));
  await state.close();
  expect(isInstalled).toBe(true);
}

describe.each(names)('recording %s', (name) => {
  const folder = join(recordingsFolder, name);

  it('comes to the same state and answers, from its first entry', async () => {
    const directory = newFolder();
    const node = await play(folder, directory, 'the first entry');
    expect(await digestOf(node.state, folder, directory)).toBe(readRecording(folder).digest);
    await expectAnswers(node, folder);
  });

  it('comes to the same state and answers, from its snapshot on', async () => {
    const directory = newFolder();
    await installRecorded(folder, directory);
    const node = await play(folder, directory, 'the snapshot');
    expect(await digestOf(node.state, folder, directory)).toBe(readRecording(folder).digest);
    await expectAnswers(node, folder);
  });

  it('has a snapshot that opens to what it held', async () => {
    const { snapshot, snapshotDigest } = readRecording(folder);
    expect(await digestOfSnapshot(snapshotPath(folder), snapshot.id, keyOf(folder))).toBe(snapshotDigest);
  });

  it('is small', () => {
    const bytes = readdirSync(folder).reduce((sum, name) => sum + readFileSync(join(folder, name)).length, 0);
    expect(bytes).toBeLessThan(256 * 1024);
  });
});

describe('some recording', () => {
  const codecs: { readonly [kind: string]: Pick<Codec<unknown>, 'decode'> } = {
    sys: systemFacts,
    policy: policyFacts,
    token: tokenFacts,
    host: hostFacts,
    kv: kvFacts,
    pki: pkiFacts,
  };
  const transactions = async (): Promise<Awaited<ReturnType<typeof transactionsOf>>> => {
    const each = recordings.map((folder) => {
      const { clusterId } = readRecording(folder);
      return transactionsOf(readEntries(folder), { clusterId, staticKey: keyOf(folder) });
    });
    return (await Promise.all(each)).flat();
  };
  /** Numbers of facts that are far from used up. */
  const factNumberMax = 200;
  const isKnown = (codec: Pick<Codec<unknown>, 'decode'>, number: number): boolean => {
    try {
      codec.decode(Buffer.from([...varint(number * 8 + 2), 0]));
      return true;
    } catch (error) {
      if (error instanceof WireError && /unknown fact number/.test(error.message)) return false;
      throw error;
    }
  };
  const varint = (value: number): number[] => (value < 128 ? [value] : [(value % 128) + 128, value >> 7]);

  it('knows the facts of every engine', () => {
    expect(Object.values(engines).filter((engine) => !(engine.kind in codecs))).toEqual([]);
  });

  it('has every kind of fact (add it to story.fixture.ts, then: npm run record)', async () => {
    const recorded = factKinds(await transactions());
    const missing = Object.entries(codecs).flatMap(([kind, codec]) =>
      Array.from({ length: factNumberMax }, (_, at) => at + 1)
        .filter((number) => isKnown(codec, number) && !recorded.has(`${kind} ${number}`))
        .map((number) => `${kind} ${number}`),
    );
    expect(missing).toEqual([]);
  });

  it('restores the state in the middle, and goes on from there', async () => {
    const controls = recordings.flatMap((folder) => readEntries(folder).filter((entry) => entry.type === 'control'));
    expect(controls.some((entry) => decodeControlEntry(entry.data).restore !== undefined)).toBe(true);
    expect((await transactions()).some((transaction) => transaction.restoredIndex > 0)).toBe(true);
  });

  it('has every kind of entry, of expectation and of remembered outcome', async () => {
    const types = new Set(recordings.flatMap((folder) => readEntries(folder).map((entry) => entry.type)));
    expect([...types].toSorted()).toEqual(['control', 'membership', 'noop', 'transactions']);
    const all = await transactions();
    const kinds = new Set(all.flatMap((transaction) => transaction.expects.map((expect) => expect.kind)));
    expect([...kinds].toSorted()).toEqual(['absent', 'below', 'token-alive', 'unchanged']);
    const outcomes = all.flatMap(({ remembered }) => remembered ?? []);
    expect(new Set(outcomes.map(({ isFromResult }) => isFromResult)).size).toBe(2);
  });
});
