import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeId } from '@lockstep/contract/ids';
import { afterEach, describe, expect, test } from 'vitest';
import { forceLevelLog } from './force-level-log.ts';
import { openLevelLog } from './level-log.ts';
import { batch, entries, hardState, saveMembership, threeVoters, withLearner, write } from './log-samples.ts';

const clusterId = 'c1';
const node = NodeId(1);
const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'force-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const open = (directory: string): ReturnType<typeof openLevelLog> =>
  openLevelLog({
    directory,
    clusterId,
    node,
    format: { incarnation: 77, membership: threeVoters },
    onFatal: (error) => expect.unreachable(String(error)),
  });

/** Nine entries, of which five are known to be committed. */
async function written(membership = threeVoters): Promise<string> {
  const directory = newDirectory();
  const { store } = await open(directory);
  await write(store, batch({ entries: entries(1, 9, 4), hardState: hardState(6, 2, 5) }));
  if (membership !== threeVoters) await saveMembership(store, membership, 5);
  await store.close();
  return directory;
}

const force = (
  directory: string,
  more: Partial<Parameters<typeof forceLevelLog>[0]> = {},
): ReturnType<typeof forceLevelLog> => forceLevelLog({ directory, clusterId, node, isDryRun: false, ...more });

describe('a forced membership is refused', () => {
  test('of a log that is not there, another node’s, another cluster’s', async () => {
    await expect(force(newDirectory())).rejects.toMatchObject({ code: 'not-initialized' });
    const directory = await written();
    await expect(force(directory, { node: NodeId(2) })).rejects.toMatchObject({ code: 'failed-precondition' });
    await expect(force(directory, { clusterId: 'c2' })).rejects.toMatchObject({ code: 'failed-precondition' });
    const { stored, store } = await open(directory);
    expect(stored.membership).toEqual(threeVoters);
    await store.close();
  });

  test('while the node runs', async () => {
    const directory = await written();
    const { store } = await open(directory);
    await expect(force(directory)).rejects.toMatchObject({
      code: 'failed-precondition',
      message: expect.stringMatching(/can't be opened/),
    });
    await store.close();
  });

  test('of a node that is alone already, that was removed, that knows of nobody', async () => {
    const alone = { ...threeVoters, voters: [node] };
    await expect(force(await written(alone))).rejects.toThrow('node 1 is its cluster’s only voter');
    const others = { ...threeVoters, voters: [NodeId(2), NodeId(3)] };
    await expect(force(await written(others))).rejects.toThrow('does not know of its cluster yet');
    const { roster } = withLearner;
    if (roster === undefined) return expect.unreachable();
    const gone = { ...threeVoters, roster: { ...roster, removed: [{ node, pin: '' }] } };
    return expect(force(await written(gone))).rejects.toThrow('node 1 was removed from its cluster');
  });
});

describe('a forced membership', () => {
  test('is told first, with what would be lost, and changes nothing then', async () => {
    const directory = await written(withLearner);
    const told = await force(directory, { isDryRun: true });
    expect(told).toMatchObject({ lastIndex: 9, lastTerm: 4, commit: 5, before: withLearner });
    expect(told.leftBehind.map(({ node: left, name }) => [left, name])).toEqual([
      [2, ''],
      [3, ''],
      [4, 'four'],
    ]);
    const { stored, store } = await open(directory);
    expect([stored.membership, stored.hardState.commit]).toEqual([withLearner, 5]);
    await store.close();
  });

  test('is this node alone, in the next epoch, with everything in its log', async () => {
    const directory = await written(withLearner);
    await force(directory);
    const { stored, store } = await open(directory);
    expect(stored).toMatchObject({
      appliedMembershipIndex: 9,
      hardState: { term: 6, vote: 2, commit: 9 },
      membership: { voters: [1], votersOutgoing: [], learners: [], roster: { index: 9, epoch: 2 } },
    });
    expect(stored.membership.roster?.removed.map(({ node: left }) => left)).toEqual([2, 3, 4, 5]);
    await store.close();
    await expect(force(directory)).rejects.toThrow('only voter');
  });
});
