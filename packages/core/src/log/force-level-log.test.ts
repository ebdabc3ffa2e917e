import { copyFileSync, cpSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { afterEach, describe, expect, test } from 'vitest';
import { encodeMembershipChange } from '../raft/membership-codec.ts';
import { encodeMembers } from '../raft/roster-codec.ts';
import type { Entry, Membership } from '../raft/types.ts';
import { forceLevelLog, type ForceOptions, type ForcePlan } from './force-level-log.ts';
import { openLevelLog } from './level-log.ts';
import { batch, entries, hardState, read, saveMembership, threeVoters, withLearner, write } from './log-samples.ts';

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

/** Nine entries, of which five are known to be committed, and then those given. */
async function written(membership = threeVoters, more: readonly Entry[] = []): Promise<string> {
  const directory = newDirectory();
  const { store } = await open(directory);
  await write(store, batch({ entries: [...entries(1, 9, 4), ...more], hardState: hardState(6, 2, 5) }));
  if (membership !== threeVoters) await saveMembership(store, membership, 5);
  await store.close();
  return directory;
}

const word = Buffer.from('by force');

const force = (directory: string, more: Partial<ForceOptions> = {}): ReturnType<typeof forceLevelLog> =>
  forceLevelLog({ directory, clusterId, node, founders: [], decide: () => Promise.resolve(word), ...more });

/** Looks at it without changing it. */
async function told(directory: string, more: Partial<ForceOptions> = {}): Promise<ForcePlan> {
  let found: ForcePlan | undefined;
  await force(directory, {
    ...more,
    decide: (plan) => {
      found = plan;
      return Promise.resolve(undefined);
    },
  });
  return found ?? expect.unreachable();
}

interface Found {
  readonly membership: Membership;
  readonly hardState: unknown;
  readonly last: number;
}

async function found(directory: string): Promise<Found> {
  const { stored, store } = await open(directory);
  await store.close();
  return { membership: stored.membership, hardState: stored.hardState, last: stored.lastIndex };
}

describe('a forced membership is refused', () => {
  test('of a log that is not there, another node’s, another cluster’s', async () => {
    await expect(force(newDirectory())).rejects.toMatchObject({ code: 'not-initialized' });
    const directory = await written();
    await expect(force(directory, { node: NodeId(2) })).rejects.toMatchObject({ code: 'failed-precondition' });
    await expect(force(directory, { clusterId: 'c2' })).rejects.toMatchObject({ code: 'failed-precondition' });
    expect((await found(directory)).membership).toEqual(threeVoters);
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

  test('by who decides, and then nothing is changed', async () => {
    const directory = await written(withLearner);
    const decide = (): Promise<never> => Promise.reject(new Error('not now'));
    await expect(force(directory, { decide })).rejects.toThrow('not now');
    expect(await found(directory)).toEqual({ membership: withLearner, hardState: hardState(6, 2, 5), last: 9 });
  });

  test('of a log with a damaged table', async () => {
    const directory = await written();
    await found(directory);
    const table = readdirSync(directory).find((name) => name.endsWith('.ldb')) ?? '';
    truncateSync(join(directory, table), statSync(join(directory, table)).size - 1);
    await expect(force(directory)).rejects.toMatchObject({ code: 'damaged' });
  });
});

describe('a forced membership', () => {
  test('is told first, with what would be lost, and changes nothing then', async () => {
    const directory = await written(withLearner);
    const { forced } = await told(directory);
    expect(forced).toMatchObject({ lastIndex: 9, lastTerm: 4, commit: 5, before: withLearner });
    expect(forced.leftBehind.map(({ node: left, name }) => [left, name])).toEqual([
      [2, ''],
      [3, ''],
      [4, 'four'],
    ]);
    expect(await found(directory)).toEqual({ membership: withLearner, hardState: hardState(6, 2, 5), last: 9 });
  });

  test('is this node alone, in the next epoch, with everything in its log and an entry that says so', async () => {
    const directory = await written(withLearner);
    await force(directory);
    const { stored, store } = await open(directory);
    expect(stored).toMatchObject({
      appliedMembershipIndex: 10,
      lastIndex: 10,
      hardState: { term: 7, vote: 1, commit: 10 },
      membership: { voters: [1], votersOutgoing: [], learners: [], roster: { index: 10, epoch: 2 } },
    });
    expect(stored.membership.roster?.removed.map(({ node: left }) => left)).toEqual([2, 3, 4, 5]);
    const [ninth, last] = await read(store, { from: 9, until: 11 });
    expect(ninth).toMatchObject({ index: 9, term: 4 });
    expect(last).toEqual({ index: 10, term: 7, type: 'control', data: Uint8Array.from(word) });
    await store.close();
    await expect(force(directory)).rejects.toThrow('only voter');
  });

  test('keeps who this node is, and the keys of those who are left behind, where only the configuration says so', async () => {
    const founders = [1, 2, 3].map((id) => ({ node: NodeId(id), address: `n${id}:1`, pin: `pin${id}` }));
    const directory = await written();
    await force(directory, { founders });
    const { roster } = (await found(directory)).membership;
    expect(roster?.members).toMatchObject([{ node: 1, peerAddress: 'n1:1', pin: 'pin1' }]);
    expect(roster?.removed).toEqual([
      { node: 2, pin: 'pin2' },
      { node: 3, pin: 'pin3' },
    ]);
  });

  test('leaves those behind whose coming had not taken effect here, and shows the control entries', async () => {
    const nine = { name: 'nine', peerAddress: 'n9:1', apiAddress: '', grpcAddress: '', pin: 'pin9', incarnation: 9 };
    const coming = encodeMembershipChange({
      transition: 'auto',
      steps: [{ kind: 'add-learner', node: NodeId(9) }],
      context: encodeMembers([{ node: NodeId(9), ...nine }]),
    });
    const at = (index: number): Pick<Entry, 'index' | 'term'> => ({ index: LogIndex(index), term: Term(5) });
    const more: readonly Entry[] = [
      { ...at(10), type: 'control', data: word },
      { ...at(11), type: 'membership', data: coming },
    ];
    const { forced, controls } = await told(await written(withLearner, more));
    expect(forced.leftBehind.at(-1)).toEqual({ node: 9, ...nine });
    expect(controls).toEqual([{ ...at(10), type: 'control', data: Uint8Array.from(word) }]);
  });
});

test('a forced membership that is cut short at any byte is the old one or the new one', async () => {
  const before = await written(withLearner);
  const [old, directory] = [await found(before), newDirectory()];
  cpSync(before, directory, { recursive: true });
  await force(directory);
  const log = readdirSync(directory).find((name) => name.endsWith('.log')) ?? expect.unreachable();
  const bytes = statSync(join(directory, log)).size;
  const outcomes = new Set<number>();
  for (const kept of [0, 1, 6, 7, 8, bytes >> 2, bytes >> 1, bytes - 2, bytes - 1, bytes]) {
    const cut = newDirectory();
    cpSync(directory, cut, { recursive: true });
    // The floor is raised last, so a crash in the write finds the one of before.
    copyFileSync(join(before, 'MARKER'), join(cut, 'MARKER'));
    truncateSync(join(cut, log), kept);
    const now = await found(cut);
    outcomes.add(now.last);
    if (now.last === old.last) expect(now).toEqual(old);
    else expect(now).toMatchObject({ membership: { voters: [1], roster: { epoch: 2 } }, hardState: { commit: 10 } });
  }
  expect([...outcomes].toSorted((a, b) => a - b)).toEqual([9, 10]);
  // Once it was told to be done, a lost end is noticed.
  truncateSync(join(directory, log), bytes - 1);
  await expect(found(directory)).rejects.toMatchObject({ code: 'damaged' });
});
