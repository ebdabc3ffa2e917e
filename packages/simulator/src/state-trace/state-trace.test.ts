import { expect, test } from 'vitest';
import { simulate } from '../simulate.ts';
import type { StateEvent } from './state-event.ts';

const run = { seed: 12, nodes: 3, seconds: 6 };
const troubles = ['partition', 'crash', 'loss', 'duplicates'];
// Nothing that the specification does not know.
const calm = { without: ['all'], clients: 1 };

function traced(options: Parameters<typeof simulate>[0]): {
  readonly events: readonly StateEvent[];
  readonly hash: string;
} {
  const events: StateEvent[] = [];
  const stateTrace = (line: string): void => {
    const { tag, event }: { tag: string; event: StateEvent } = JSON.parse(line);
    expect(tag).toBe('trace');
    events.push(event);
  };
  const { failure, traceHash } = simulate({ ...options, stateTrace });
  expect(failure).toBeUndefined();
  return { events, hash: traceHash };
}

test('a cluster does the same whether its steps are told or not', () => {
  for (const simplified of [calm, {}]) {
    const { hash } = traced({ ...run, simplified });
    expect(hash).toBe(simulate({ ...run, simplified }).traceHash);
  }
});

test('nothing is received that was not sent before, and no more often where nothing is sent twice', () => {
  const { events } = traced({ ...run, simplified: calm });
  const onTheWay = new Map<string, number>();
  let received = 0;
  for (const { name, msg } of events) {
    if (msg === undefined) continue;
    const text = JSON.stringify(Object.entries(msg).toSorted(([a], [b]) => a.localeCompare(b)));
    const count = onTheWay.get(text) ?? 0;
    if (name.startsWith('Send')) onTheWay.set(text, count + 1);
    else {
      expect(count, `${name} ${text}`).toBeGreaterThan(0);
      onTheWay.set(text, count - 1);
      received++;
    }
  }
  expect(received).toBeGreaterThan(100);
});

test('a leader has a quorum of votes of its term, replicates what it commits, and commits what its term began', () => {
  const { events } = traced({ ...run, simplified: { without: troubles, clients: 2 } });
  const votes = new Map<string, Set<string>>();
  let [leaders, commits] = [0, 0];
  for (const { name, nid, state, role, log, conf, msg } of events) {
    const key = `${nid} in ${state.term}`;
    if (name === 'ReceiveRequestVoteResponse' && msg?.reject === false && msg.term === state.term)
      votes.set(key, (votes.get(key) ?? new Set()).add(msg.from));
    if (name === 'BecomeLeader') {
      leaders++;
      expect(role).toBe('StateLeader');
      expect(votes.get(key)?.has(nid), key).toBe(true);
      expect((votes.get(key)?.size ?? 0) * 2).toBeGreaterThan(conf[0].length);
    }
    if (name === 'Commit') {
      commits++;
      expect(role).toBe('StateLeader');
      expect(state.commit).toBeLessThanOrEqual(log);
    }
  }
  expect(leaders).toBeGreaterThan(0);
  expect(commits).toBeGreaterThan(0);
});

test('what is told after the same message is told as etcd names it', () => {
  const { events } = traced({ ...run, seconds: 1, simplified: calm });
  const leader = events.find(({ name }) => name === 'BecomeLeader')?.nid;
  const from = events.findIndex(({ name }) => name === 'BecomeLeader');
  const names = events.slice(from).filter(({ nid }) => nid === leader);
  expect(names.slice(0, 5).map(({ name }) => name)).toEqual([
    'BecomeLeader',
    'Replicate',
    'SendAppendEntriesResponse',
    'SendAppendEntriesRequest',
    'SendAppendEntriesRequest',
  ]);
  expect(names[2]?.msg).toMatchObject({ type: 'MsgAppResp', from: leader, to: leader, index: 1, reject: false });
  expect(names[3]?.msg).toMatchObject({ type: 'MsgApp', entries: 1, index: 0, logTerm: 0, commit: 0 });
});
