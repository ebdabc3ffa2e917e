import { LogIndex } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { proposalsWaitingMax, transactionBytesMax } from './limits.ts';
import type { ProposeOutcome, ReadOutcome } from './port.ts';
import { type TestNode, TestNodes } from './test-nodes.ts';
import { defaultTimings } from './timings.ts';

function propose(at: TestNode, text: string | Uint8Array): { outcome: ProposeOutcome | undefined } {
  const result: { outcome: ProposeOutcome | undefined } = { outcome: undefined };
  at.node.propose(typeof text === 'string' ? Buffer.from(text) : text, (outcome) => {
    result.outcome = outcome;
  });
  return result;
}

function read(at: TestNode): { outcome: ReadOutcome | undefined } {
  const result: { outcome: ReadOutcome | undefined } = { outcome: undefined };
  at.node.readIndex((outcome) => {
    result.outcome = outcome;
  });
  return result;
}

/** Three nodes, of which node 1 leads. */
function led(count = 3, options: ConstructorParameters<typeof TestNodes>[1] = {}): TestNodes {
  const nodes = new TestNodes(count, options);
  nodes.get(1).node.campaign();
  nodes.time.pass(200);
  expect(nodes.get(1).node.status().raft.role).toBe('leader');
  return nodes;
}

test('a transaction without a leader is refused after the leader wait, not before', () => {
  const nodes = new TestNodes(3, { timings: { leaderWaitMs: 300 } });
  const result = propose(nodes.get(2), 'a');
  nodes.time.pass(290);
  expect(result.outcome).toBeUndefined();
  nodes.time.pass(70);
  expect(result.outcome).toEqual({ kind: 'refused', reason: 'no-leader' });
});

test('a read without a leader is refused after its deadline', () => {
  const nodes = new TestNodes(3, { timings: { readDeadlineMs: 300 } });
  const result = read(nodes.get(2));
  nodes.time.pass(360);
  expect(result.outcome).toEqual({ kind: 'refused', reason: 'no-leader' });
});

test('a transaction at the bound is taken, one byte more is refused', () => {
  const nodes = led();
  const fits = propose(nodes.get(1), new Uint8Array(transactionBytesMax));
  const tooLarge = propose(nodes.get(1), new Uint8Array(transactionBytesMax + 1));
  nodes.time.pass(100);
  expect(fits.outcome?.kind).toBe('appended');
  expect(tooLarge.outcome).toEqual({ kind: 'refused', reason: 'too-large' });
});

test('as many transactions wait as the bound allows, one more is refused', () => {
  const nodes = new TestNodes(3);
  const results = Array.from({ length: proposalsWaitingMax + 1 }, () => propose(nodes.get(1), 'x'));
  expect(results.at(-2)?.outcome).toBeUndefined();
  expect(results.at(-1)?.outcome).toEqual({ kind: 'refused', reason: 'busy' });
});

test('a sealed leader orders no transaction, and takes a control entry', () => {
  const nodes = led();
  nodes.get(1).machine.isSealed = true;
  const refused = propose(nodes.get(1), 'a');
  let control: ProposeOutcome | undefined;
  nodes.get(1).node.proposeControl(Buffer.from('seal configuration'), (outcome) => {
    control = outcome;
  });
  nodes.time.pass(100);
  expect(refused.outcome).toEqual({ kind: 'refused', reason: 'sealed' });
  expect(control?.kind).toBe('appended');
  expect(nodes.nodes.map((node) => node.machine.controls.length)).toEqual([1, 1, 1]);
});

test('a follower passes a control entry on to the leader, and waits for one', () => {
  const nodes = led();
  const outcomes: ProposeOutcome[] = [];
  const give = (): void =>
    nodes.get(2).node.proposeControl(Buffer.from('seal configuration'), (outcome) => outcomes.push(outcome));
  give();
  nodes.time.pass(100);
  expect(outcomes).toEqual([{ kind: 'appended', index: 2, term: 1, ordinal: 0 }]);
  expect(nodes.nodes.map((node) => node.machine.controls.length)).toEqual([1, 1, 1]);
  for (const id of [1, 3]) nodes.cutOff.add(nodes.get(id).id);
  nodes.until(() => nodes.get(2).node.status().raft.leader === 0);
  give();
  nodes.time.pass(defaultTimings.leaderWaitMs - 100);
  expect(outcomes).toHaveLength(1);
  nodes.time.pass(200);
  expect(outcomes[1]).toEqual({ kind: 'refused', reason: 'no-leader' });
});

test('a control entry whose answer is lost has an unknown outcome', () => {
  const nodes = led();
  const outcomes: ProposeOutcome[] = [];
  nodes.get(2).node.proposeControl(Buffer.from('a'), (outcome) => outcomes.push(outcome));
  nodes.time.pass(0);
  nodes.cutOff.add(nodes.get(1).id);
  nodes.network.disconnect(nodes.get(1).id, nodes.get(2).id);
  nodes.time.pass(10);
  expect(outcomes).toEqual([{ kind: 'unknown' }]);
});

test('all transactions of a turn share one entry, and each learns its place', () => {
  const nodes = led();
  const [a, b, c] = [propose(nodes.get(1), 'a'), propose(nodes.get(2), 'b'), propose(nodes.get(2), 'c')];
  nodes.time.pass(100);
  expect(a.outcome).toEqual({ kind: 'appended', index: 2, term: 1, ordinal: 0 });
  expect(b.outcome).toEqual({ kind: 'appended', index: 3, term: 1, ordinal: 0 });
  expect(c.outcome).toEqual({ kind: 'appended', index: 3, term: 1, ordinal: 1 });
  const texts = nodes.get(1).machine.texts;
  expect(texts.map((text) => text.split(':')[1])).toEqual(['a', 'b,c']);
  for (const node of nodes.nodes) expect(node.machine.texts).toEqual(texts);
});

test('a read is confirmed on every node, with an index no lower than what was acknowledged', () => {
  const nodes = led();
  const written = propose(nodes.get(3), 'a');
  nodes.time.pass(50);
  const reads = nodes.nodes.map(read);
  nodes.time.pass(50);
  expect(written.outcome?.kind).toBe('appended');
  for (const { outcome } of reads) {
    expect(outcome?.kind).toBe('confirmed');
    if (outcome?.kind === 'confirmed') expect(outcome.index).toBe(2);
    if (outcome?.kind === 'confirmed') expect(outcome.timeMs).toBeGreaterThan(1_000_000);
  }
});

test('a forwarded transaction whose answer is lost has an unknown outcome', () => {
  const nodes = led();
  const result = propose(nodes.get(2), 'a');
  nodes.time.pass(0);
  nodes.cutOff.add(nodes.get(1).id);
  nodes.network.disconnect(nodes.get(1).id, nodes.get(2).id);
  nodes.time.pass(10);
  expect(result.outcome).toEqual({ kind: 'unknown' });
});

test('a transaction that waits for a new leader is appended by it', () => {
  const nodes = led();
  nodes.cutOff.add(nodes.get(1).id);
  while (nodes.get(2).node.status().raft.leader !== 0) nodes.time.pass(10);
  const result = propose(nodes.get(2), 'a');
  nodes.time.pass(4_000);
  expect(result.outcome?.kind).toBe('appended');
  expect(nodes.get(3).machine.texts.at(-1)?.endsWith('a')).toBe(true);
});

test('a transaction that a silent leader never answers has an unknown outcome after the forward timeout', () => {
  const nodes = led(3, { timings: { forwardTimeoutMs: 500 } });
  nodes.cutOff.add(nodes.get(1).id);
  const result = propose(nodes.get(2), 'a');
  nodes.time.pass(490);
  expect(result.outcome).toBeUndefined();
  nodes.time.pass(70);
  expect(result.outcome).toEqual({ kind: 'unknown' });
});

test('a sealed node keeps its cursor and applies after resumeApply', () => {
  const nodes = led();
  const sealed = nodes.get(3);
  sealed.machine.isSealed = true;
  for (const text of ['a', 'b', 'c']) {
    propose(nodes.get(1), text);
    nodes.time.pass(50);
  }
  expect(sealed.machine.texts).toEqual([]);
  sealed.machine.isSealed = false;
  sealed.node.resumeApply();
  nodes.time.pass(50);
  expect(sealed.machine.texts).toEqual(nodes.get(1).machine.texts);
  expect(sealed.machine.texts.length).toBe(3);
});

test('a follower behind the compacted log installs a snapshot and goes on from it', () => {
  const nodes = led();
  const behind = nodes.get(3);
  nodes.cutOff.add(behind.id);
  for (let count = 0; count < 10; count++) {
    propose(nodes.get(1), `before ${count}`);
    nodes.time.pass(50);
  }
  const { appliedIndex } = nodes.get(1).node.status();
  nodes.get(1).node.stateSynced(appliedIndex);
  expect(nodes.get(1).node.compactNow()).toBe(appliedIndex);
  nodes.time.pass(100);
  nodes.cutOff.delete(behind.id);
  nodes.time.pass(5_000);
  propose(nodes.get(1), 'after');
  nodes.time.pass(200);
  expect(behind.node.status().snapshotsInstalled).toBe(1);
  expect(behind.machine.texts).toEqual(nodes.get(1).machine.texts);
  expect(behind.node.status().raft.firstIndex).toBe(appliedIndex + 1);
});

test('a follower far behind a leader that goes on serving needs at most two snapshots', () => {
  const compaction = { everyEntries: 50, everyBytes: 1_000_000, tailEntries: 25, tailBytes: 1_000_000 };
  const nodes = led(3, { compaction });
  const [leader, behind] = [nodes.get(1), nodes.get(3)];
  const serve = (entries: number): void => {
    for (let count = 0; count < entries; count++) {
      propose(leader, `${count}`);
      nodes.time.pass(4);
      for (const { node } of nodes.nodes) node.stateSynced(node.status().appliedIndex);
    }
  };
  nodes.cutOff.add(behind.id);
  serve(500);
  expect(leader.node.status().raft.firstIndex).toBeGreaterThan(400);
  nodes.cutOff.delete(behind.id);
  let served = 0;
  while (leader.node.status().appliedIndex - behind.node.status().appliedIndex > 10) {
    serve(10);
    served += 10;
    expect(served, 'entries until it has caught up').toBeLessThan(5_000);
  }
  expect(behind.node.status().snapshotsInstalled).toBeGreaterThanOrEqual(1);
  expect(behind.node.status().snapshotsInstalled).toBeLessThanOrEqual(2);
  // The pull took longer than the leader needs to compact once.
  expect(served).toBeGreaterThan(compaction.everyEntries);
});

test('compaction never passes what the state machine has synced', () => {
  const nodes = led();
  for (const text of ['a', 'b', 'c']) {
    propose(nodes.get(1), text);
    nodes.time.pass(50);
  }
  expect(nodes.get(1).node.compactNow()).toBe(0);
  nodes.get(1).node.stateSynced(LogIndex(3));
  expect(nodes.get(1).node.compactNow()).toBe(3);
});

test('a leader whose disk hangs gives up leadership', () => {
  const nodes = led();
  nodes.hanging.add(nodes.get(1).id);
  propose(nodes.get(1), 'a');
  nodes.time.pass(6_000);
  expect(nodes.get(1).node.status().raft.role).not.toBe('leader');
  expect(nodes.nodes.some((node) => node.node.status().raft.role === 'leader')).toBe(true);
  expect(nodes.get(1).events).toContain('disk-stalled');
});

test('a node that was paused ticks once for the gap', () => {
  const nodes = led();
  const before = nodes.get(2).node.status();
  expect(before.lateTicks).toBe(0);
  nodes.time.pause(10_000);
  nodes.time.pass(100);
  expect(nodes.get(2).node.status().lateTicks).toBe(1);
  expect(nodes.get(1).node.status().raft.role).toBe('leader');
});

test('a closed node answers everything that waits', async () => {
  const nodes = led();
  const forwarded = propose(nodes.get(2), 'a');
  nodes.time.pass(0);
  const waiting = propose(nodes.get(2), 'b');
  const reading = read(nodes.get(2));
  await nodes.get(2).node.close();
  expect(forwarded.outcome).toEqual({ kind: 'unknown' });
  expect(waiting.outcome).toEqual({ kind: 'refused', reason: 'no-leader' });
  expect(reading.outcome).toEqual({ kind: 'refused', reason: 'no-leader' });
  expect(propose(nodes.get(2), 'c').outcome).toEqual({ kind: 'refused', reason: 'no-leader' });
});

test('a node whose turn fails says nothing more, not even what it had to say in that turn', () => {
  const nodes = led();
  const node = nodes.get(2);
  const framesSent = (): number => nodes.senders.filter((from) => from === node.id).length;
  let before = 0;
  node.machine.apply = () => {
    before = framesSent();
    throw new Error('the state is damaged');
  };
  propose(nodes.get(1), 'a');
  nodes.time.pass(5_000);
  expect(node.errors).toMatchObject([{ message: 'the state is damaged' }]);
  expect(before).toBeGreaterThan(0);
  expect(framesSent()).toBe(before);
});

/** Node 3 was away while nodes 1 and 2 compacted to the end of their logs; it is back. */
function behindCompacted(): { readonly nodes: TestNodes; readonly behind: TestNode } {
  const nodes = led();
  const behind = nodes.get(3);
  propose(nodes.get(1), 'everywhere');
  nodes.time.pass(200);
  nodes.cutOff.add(behind.id);
  for (let count = 0; count < 5; count++) {
    propose(nodes.get(1), `${count}`);
    nodes.time.pass(50);
  }
  nodes.get(1).node.stateSynced(LogIndex(7));
  nodes.get(1).node.compactNow();
  nodes.time.pass(50);
  nodes.cutOff.delete(behind.id);
  return { nodes, behind };
}

test('a compaction that ends after a snapshot was installed forgets nothing of it', () => {
  const { nodes, behind } = behindCompacted();
  behind.node.stateSynced(LogIndex(2));
  behind.machine.onInstall = (swap) => {
    expect(behind.node.compactNow()).toBe(2);
    swap();
  };
  nodes.time.pass(3_000);
  expect(behind.errors).toEqual([]);
  expect(behind.node.status().snapshotsInstalled).toBe(1);
  expect(behind.node.status().raft.firstIndex).toBe(8);
});

test('compaction never passes the end of the log, though a snapshot brought the state further', () => {
  const { nodes, behind } = behindCompacted();
  let swapState: (() => void) | undefined;
  behind.machine.onInstall = (swap) => {
    swapState = swap;
  };
  while (swapState === undefined) nodes.time.pass(1);
  // Without a leader there is nobody in whose name the core could be told.
  nodes.cutOff.add(behind.id);
  while (behind.node.status().raft.leader !== 0) nodes.time.pass(10);
  swapState();
  nodes.time.pass(1);
  behind.node.stateSynced(LogIndex(7));
  expect(behind.node.status().appliedIndex).toBe(7);
  expect(behind.node.compactNow()).toBe(2);
  nodes.cutOff.delete(behind.id);
  nodes.time.pass(3_000);
  expect(behind.errors).toEqual([]);
  expect(behind.node.status().raft.firstIndex).toBe(8);
});

test('a crash between the switch of the state and the reset of the log is finished at start', () => {
  const nodes = led();
  const behind = nodes.get(3);
  nodes.cutOff.add(behind.id);
  for (let count = 0; count < 5; count++) {
    propose(nodes.get(1), `${count}`);
    nodes.time.pass(50);
  }
  nodes.get(1).node.stateSynced(LogIndex(6));
  nodes.get(1).node.compactNow();
  nodes.time.pass(50);
  nodes.cutOff.delete(behind.id);
  while (behind.machine.installed === undefined) nodes.time.pass(1);
  const image = behind.log.durableImage();
  expect(image.snapshot.index).toBe(0);
  nodes.network.leave(behind.id);
  void behind.log.close();
  const again = nodes.start(
    behind.id,
    nodes.nodes.map((node) => node.id),
    { image, machine: behind.machine },
  );
  // The leader learns of the restart when it hears of the node again, and offers the snapshot anew.
  nodes.time.pass(3_000);
  propose(nodes.get(1), 'after');
  nodes.time.pass(200);
  expect(again.errors).toEqual([]);
  expect(again.machine.texts).toEqual(nodes.get(1).machine.texts);
  expect(again.log.durableImage().snapshot.index).toBe(6);
});

test('a state that holds more than the log is refused', () => {
  const nodes = led();
  propose(nodes.get(1), 'a');
  nodes.time.pass(100);
  const { machine, id } = nodes.get(2);
  const { log } = new TestNodes(3).get(1);
  nodes.network.leave(id);
  expect(() => nodes.start(id, [id], { image: log.durableImage(), machine })).toThrow(
    'log: ends at entry 0, but the state holds entry 2',
  );
});
