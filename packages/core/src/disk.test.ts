import { describe, expect, test } from 'vitest';
import { exhaustedShare, handOverEveryMs, reportMs, stallCalmTimeouts } from './limits.ts';
import type { MemoryLogImage } from './log/memory-log.ts';
import type { Footprint, PeerMemory } from './member-reports.ts';
import type { ProposeOutcome, ReadOutcome } from './port.ts';
import { spaceOf, type TestNode, TestMachine, TestNodes, type TestStart } from './test-nodes.ts';
import { defaultTimings } from './timings.ts';

const electionMs = defaultTimings.tickMs * defaultTimings.electionTicks;

function propose(at: TestNode, text: string, isRelief = false): { outcome: ProposeOutcome | undefined } {
  const result: { outcome: ProposeOutcome | undefined } = { outcome: undefined };
  at.node.propose(Buffer.from(text), (outcome) => (result.outcome = outcome), { isRelief });
  return result;
}

function read(at: TestNode): { outcome: ReadOutcome | undefined } {
  const result: { outcome: ReadOutcome | undefined } = { outcome: undefined };
  at.node.readIndex((outcome) => (result.outcome = outcome));
  return result;
}

/** Three nodes, of which node 1 leads. */
function led(options: TestStart = {}): TestNodes {
  const nodes = new TestNodes(3, options);
  nodes.get(1).node.campaign();
  nodes.time.pass(300);
  expect(leaderOf(nodes)?.id).toBe(1);
  return nodes;
}

function leaderOf(nodes: TestNodes): TestNode | undefined {
  const leaders = nodes.nodes.filter(({ node }) => node.status().raft.role === 'leader');
  return leaders.toSorted((a, b) => b.node.status().raft.term - a.node.status().raft.term)[0];
}

/** What each node's state holds, without the times. */
function textsOf(node: TestNode): readonly string[] {
  return node.machine.texts.map((text) => text.slice(text.indexOf(':') + 1));
}

const refusedFull = { kind: 'refused', reason: 'disk-full' };

describe('a full disk', () => {
  test('of the leader refuses writes on every node, takes what frees space, and moves leadership to a node with room', () => {
    const nodes = led();
    nodes.spaces.set(1, spaceOf('full'));
    while (nodes.get(1).node.status().diskSpace?.level !== 'full') nodes.time.pass(1);
    nodes.time.pass(defaultTimings.tickMs);
    expect(propose(nodes.get(1), 'here').outcome).toEqual(refusedFull);
    const relief = propose(nodes.get(1), 'delete', true);
    nodes.time.pass(100);
    expect(relief.outcome?.kind).toBe('appended');
    nodes.time.pass(handOverEveryMs + reportMs);
    expect(leaderOf(nodes)?.id).not.toBe(1);
    const after = nodes.nodes.map((node, at) => propose(node, `after ${at}`));
    nodes.time.pass(200);
    expect(after.map(({ outcome }) => outcome?.kind)).toEqual(['appended', 'appended', 'appended']);
    expect(textsOf(nodes.get(1)).join()).toBe(textsOf(nodes.get(2)).join());
  });

  test('is known to the others within a second: they refuse for the leader', () => {
    const nodes = led();
    for (const id of [1, 2, 3]) nodes.spaces.set(id, spaceOf('full'));
    nodes.time.pass(reportMs + 100);
    expect(nodes.nodes.map((node) => propose(node, 'x').outcome)).toEqual([refusedFull, refusedFull, refusedFull]);
    expect(nodes.get(3).node.status().reports.get(nodes.get(1).id)).toMatchObject({ disk: 'full', freeBytes: 900 });
  });

  test('everywhere leaves leadership where it is, reads go on, and writes go on when space returns', () => {
    const nodes = led();
    for (const id of [1, 2, 3]) nodes.spaces.set(id, spaceOf('full'));
    nodes.time.pass(3 * handOverEveryMs);
    expect(leaderOf(nodes)?.id).toBe(1);
    const reads = nodes.nodes.map(read);
    const relief = nodes.nodes.map((node) => propose(node, 'revoke', true));
    nodes.time.pass(100);
    expect(reads.map(({ outcome }) => outcome?.kind)).toEqual(['confirmed', 'confirmed', 'confirmed']);
    expect(relief.map(({ outcome }) => outcome?.kind)).toEqual(['appended', 'appended', 'appended']);
    nodes.spaces.clear();
    nodes.time.pass(reportMs + 100);
    const again = propose(nodes.get(2), 'again');
    nodes.time.pass(100);
    expect(again.outcome?.kind).toBe('appended');
  });

  test('on so many voters that the rest are no quorum refuses writes, on one of three it does not', () => {
    const nodes = led();
    nodes.spaces.set(3, spaceOf('full'));
    nodes.time.pass(reportMs + 100);
    const one = propose(nodes.get(1), 'a');
    nodes.spaces.set(2, spaceOf('full'));
    nodes.time.pass(reportMs + 100);
    expect(one.outcome?.kind).toBe('appended');
    expect(propose(nodes.get(1), 'b').outcome).toEqual(refusedFull);
    expect(leaderOf(nodes)?.id).toBe(1);
  });

  test('and a low one is only a warning', () => {
    const nodes = led();
    for (const id of [1, 2, 3]) nodes.spaces.set(id, spaceOf('low'));
    nodes.time.pass(reportMs + 100);
    const written = propose(nodes.get(2), 'a');
    nodes.time.pass(100);
    expect(written.outcome?.kind).toBe('appended');
  });

  test('does not stand for election while others may, and leads all the same when nobody else does', () => {
    const nodes = led();
    nodes.spaces.set(2, spaceOf('full'));
    nodes.time.pass(reportMs + 100);
    nodes.cutOff.add(nodes.get(1).id);
    nodes.time.pass(4 * electionMs);
    expect(leaderOf(nodes)?.id).toBe(3);

    const full = led();
    for (const id of [2, 3]) full.spaces.set(id, spaceOf('full'));
    full.cutOff.add(full.get(1).id);
    full.time.pass(12 * electionMs);
    expect([2, 3]).toContain(leaderOf(full)?.id);
  });
});

describe('an exhausted disk', () => {
  test('begins below a quarter of what must be free', () => {
    expect(exhaustedShare).toBe(0.25);
  });

  test('of the leader refuses even what frees space', () => {
    const nodes = led();
    for (const id of [1, 2, 3]) nodes.spaces.set(id, spaceOf('exhausted'));
    const relief = propose(nodes.get(1), 'delete', true);
    let control: ProposeOutcome | undefined;
    nodes.get(1).node.proposeControl(Buffer.from('seal'), (outcome) => (control = outcome));
    nodes.time.pass(100);
    expect([relief.outcome, control]).toEqual([refusedFull, refusedFull]);
  });

  test('of a follower takes no entry, acknowledges none, and catches up by itself when space returns', () => {
    const nodes = led();
    nodes.spaces.set(3, spaceOf('exhausted'));
    for (const text of ['a', 'b', 'c']) {
      propose(nodes.get(1), text);
      nodes.time.pass(50);
    }
    expect(textsOf(nodes.get(1))).toEqual(['a', 'b', 'c']);
    expect(nodes.get(3).log.durableImage().entries.length).toBe(1);
    nodes.spaces.delete(3);
    nodes.time.pass(2 * electionMs);
    expect(textsOf(nodes.get(3))).toEqual(['a', 'b', 'c']);
    expect(leaderOf(nodes)?.id).toBe(1);
  });
});

describe('a disk that hangs', () => {
  test('costs the leader its leadership within three election timeouts; nothing false is acknowledged', () => {
    const nodes = led();
    const before = propose(nodes.get(1), 'before');
    nodes.time.pass(100);
    nodes.hanging.add(nodes.get(1).id);
    const [own, forwarded] = [propose(nodes.get(1), 'own'), propose(nodes.get(2), 'forwarded')];
    nodes.time.pass(3 * electionMs);
    expect(before.outcome?.kind).toBe('appended');
    const leader = leaderOf(nodes);
    expect([2, 3]).toContain(leader?.id);
    expect(leader?.node.status().raft.term).toBeGreaterThan(nodes.get(1).node.status().raft.vote === 1 ? 1 : 0);
    // What the hanging leader had sent on before its own write hung is committed by the others, and told as appended: that is true.
    nodes.time.pass(electionMs);
    for (const { outcome } of [own, forwarded]) {
      if (outcome?.kind === 'appended') expect(textsOf(leader ?? nodes.get(2)).join()).toMatch(/own|forwarded/);
    }
    expect(nodes.get(1).machine.texts.length).toBeLessThanOrEqual(textsOf(nodes.get(2)).length);
  });

  test('lets what comes meanwhile wait for the next leader, and refuses it where there is none', () => {
    const nodes = led();
    nodes.hanging.add(nodes.get(1).id);
    propose(nodes.get(1), 'hangs');
    while (!nodes.get(1).node.status().isDiskStalled) nodes.time.pass(1);
    const waiting = propose(nodes.get(1), 'waits');
    nodes.time.pass(3 * electionMs);
    expect(waiting.outcome?.kind).toBe('appended');
    expect(textsOf(leaderOf(nodes) ?? nodes.get(1))).toContain('waits');

    const alone = new TestNodes(1);
    alone.get(1).node.campaign();
    alone.time.pass(300);
    alone.hanging.add(alone.get(1).id);
    propose(alone.get(1), 'hangs');
    while (!alone.get(1).node.status().isDiskStalled) alone.time.pass(1);
    const { lastIndex } = alone.get(1).node.status().raft;
    const refused = propose(alone.get(1), 'refused');
    alone.time.pass(defaultTimings.leaderWaitMs + 200);
    expect(refused.outcome?.kind).toBe('refused');
    expect(alone.get(1).node.status().raft.lastIndex).toBe(lastIndex);
  });

  test('is not electable, and recovers by itself', () => {
    const nodes = led();
    nodes.hanging.add(nodes.get(2).id);
    propose(nodes.get(1), 'a');
    nodes.time.pass(electionMs);
    nodes.cutOff.add(nodes.get(1).id);
    // Two of three, of which one can't write: no quorum can commit, and the one that hangs never campaigns.
    for (let ms = 0; ms < 6 * electionMs; ms += 10) {
      nodes.time.pass(10);
      expect(nodes.get(2).node.status().raft.role).toBe('follower');
    }
    nodes.cutOff.delete(nodes.get(1).id);
    nodes.hanging.delete(nodes.get(2).id);
    // The write that hung was dropped by the simulated disk for good: the node comes back as a new process.
    const { image, machine } = { image: nodes.get(2).log.durableImage(), machine: nodes.get(2).machine };
    nodes.network.leave(nodes.get(2).id);
    const again = restart(nodes, 2, { image, machine });
    nodes.time.pass(6 * electionMs);
    propose(leaderOf(nodes) ?? nodes.get(1), 'b');
    nodes.time.pass(200);
    expect(textsOf(again).at(-1)).toBe('b');
  });

  test('only for a while gives leadership away, and is not elected again at once', () => {
    const slow = { ms: 1 };
    const nodes = led();
    nodes.slowness.set(1, () => slow.ms);
    slow.ms = electionMs;
    propose(nodes.get(1), 'slow');
    nodes.time.pass(electionMs + 100);
    slow.ms = 1;
    nodes.time.pass(electionMs);
    const stalls = nodes.get(1).events.filter((event) => event.startsWith('disk-'));
    expect(stalls.slice(0, 2)).toEqual(['disk-stalled', 'disk-recovered']);
    expect(stalls.length).toBe(2 * nodes.get(1).node.status().diskStalls);
    expect(leaderOf(nodes)?.id).not.toBe(1);
    // It leaves leadership to the others while it is not calm.
    const roleAfterCampaign = (): string => {
      nodes.get(1).node.campaign();
      nodes.time.pass(1);
      return nodes.get(1).node.status().raft.role;
    };
    expect(roleAfterCampaign()).toBe('follower');
    nodes.time.pass(stallCalmTimeouts * electionMs);
    expect(roleAfterCampaign()).toBe('pre-candidate');
  });
});

function restart(
  nodes: TestNodes,
  id: number,
  before: { readonly image: MemoryLogImage; readonly machine: TestMachine },
  options: TestStart = {},
): TestNode {
  const ids = nodes.nodes.map((node) => node.id);
  return nodes.start(nodes.get(id).id, ids, { ...before, ...options });
}

/** Node 3 as it was some entries ago, while the others go on. */
function withOldCopy(nodes: TestNodes): { readonly image: MemoryLogImage; readonly machine: TestMachine } {
  const image = nodes.get(3).log.durableImage();
  const machine = new TestMachine(nodes.get(3).id);
  for (const text of ['a', 'b', 'c']) {
    propose(nodes.get(1), text);
    nodes.time.pass(50);
  }
  nodes.time.pass(reportMs + 100);
  nodes.network.leave(nodes.get(3).id);
  void nodes.get(3).node.close();
  return { image, machine };
}

describe('a disk that was rolled back', () => {
  test('is recognised by the leader that its node had acknowledged entries to: it neither votes nor acknowledges', () => {
    const nodes = led();
    const again = restart(nodes, 3, withOldCopy(nodes));
    nodes.time.pass(500);
    expect(again.node.quarantine()).toMatch(/(node|leader) [12] .*entry 4\b.*but its log ends at entry 1 in term 1/);
    expect(again.events).toContain('quarantined');
    expect(again.events.at(-1)).toMatch(/^must be kept: /);
    expect(again.errors).toEqual([]);
    const { image } = { image: again.log.durableImage() };
    propose(nodes.get(1), 'd');
    nodes.time.pass(2_000);
    expect(again.log.durableImage()).toEqual(image);
    expect(propose(again, 'x').outcome).toEqual({ kind: 'refused', reason: 'no-leader' });
    expect(read(again).outcome).toEqual({ kind: 'refused', reason: 'no-leader' });
  });

  test('is recognised by any node that remembers, though the leader is another one meanwhile', () => {
    const nodes = led();
    const before = withOldCopy(nodes);
    nodes.get(1).node.transferLeader(nodes.get(2).id);
    nodes.time.pass(500);
    expect(leaderOf(nodes)?.id).toBe(2);
    const again = restart(nodes, 3, before);
    nodes.time.pass(500);
    expect(again.node.quarantine()).toMatch(/entry 4\b/);
  });

  test('is recognised after all the others were restarted, by what they had kept', () => {
    const kept = new Map<number, Map<number, Footprint>>();
    const memoryOf = (id: number): PeerMemory => {
      const footprints = kept.get(id) ?? new Map<number, Footprint>();
      kept.set(id, footprints);
      return {
        footprints: new Map(
          nodes.nodes.flatMap((node) => {
            const footprint = footprints.get(node.id);
            return footprint === undefined ? [] : [[node.id, footprint]];
          }),
        ),
        remember: (node, footprint) => footprints.set(node, footprint),
      };
    };
    const nodes = led();
    const images = new Map<number, { image: MemoryLogImage; machine: TestMachine }>();
    const restartAll = (ids: readonly number[]): void => {
      for (const id of ids) {
        const { log, machine, node } = nodes.get(id);
        images.set(id, { image: log.durableImage(), machine });
        nodes.network.leave(nodes.get(id).id);
        void node.close();
      }
      for (const id of ids) restart(nodes, id, images.get(id) ?? expect.unreachable(), { memory: memoryOf(id) });
    };
    restartAll([1, 2, 3]);
    nodes.time.pass(4 * electionMs);
    const leader = leaderOf(nodes) ?? expect.unreachable();
    const old = { image: nodes.get(3).log.durableImage(), machine: new TestMachine(nodes.get(3).id) };
    for (const text of ['a', 'b', 'c']) {
      propose(leader, text);
      nodes.time.pass(50);
    }
    nodes.time.pass(reportMs + 100);
    images.set(3, old);
    for (const id of [1, 2, 3]) {
      nodes.network.leave(nodes.get(id).id);
      if (id !== 3) images.set(id, { image: nodes.get(id).log.durableImage(), machine: nodes.get(id).machine });
      void nodes.get(id).node.close();
    }
    for (const id of [3, 2, 1]) restart(nodes, id, images.get(id) ?? expect.unreachable(), { memory: memoryOf(id) });
    nodes.time.pass(4 * electionMs);
    expect(nodes.get(3).node.quarantine()).toMatch(/was told that this node held entry \d+/);
    expect([1, 2]).toContain(leaderOf(nodes)?.id);
    expect(textsOf(leaderOf(nodes) ?? nodes.get(3))).toEqual(['a', 'b', 'c']);
  });

  test('is recognised by its term, though no entry came after the copy', () => {
    const nodes = led();
    const image = nodes.get(3).log.durableImage();
    nodes.get(1).node.transferLeader(nodes.get(2).id);
    nodes.time.pass(300);
    nodes.get(2).node.transferLeader(nodes.get(1).id);
    nodes.time.pass(reportMs + 300);
    const { term } = nodes.get(3).node.status().raft;
    nodes.network.leave(nodes.get(3).id);
    void nodes.get(3).node.close();
    const again = restart(nodes, 3, {
      image: { ...image, entries: nodes.get(3).log.durableImage().entries },
      machine: new TestMachine(nodes.get(3).id),
    });
    nodes.time.pass(500);
    expect(term).toBeGreaterThan(image.hardState.term);
    expect(again.node.quarantine()).toMatch(/held entry \d+ and term 3/);
  });

  test('keeps its node out from the start of every later run, and what it says counts nowhere', () => {
    const nodes = led();
    const before = withOldCopy(nodes);
    const again = restart(nodes, 3, before, { quarantine: 'it went back' });
    nodes.time.pass(6 * electionMs);
    expect(again.node.quarantine()).toBe('it went back');
    expect(again.node.status().electionsStarted).toBe(0);
    expect(again.log.durableImage()).toEqual(before.image);
    expect(leaderOf(nodes)?.id).toBe(1);
  });

  test('a node that restarts with its own disk is no such case, whatever was truncated', () => {
    const nodes = led();
    for (let round = 0; round < 4; round++) {
      // A leader whose last entries nobody has: they are cut when it comes back.
      const leader = leaderOf(nodes) ?? expect.unreachable();
      nodes.cutOff.add(leader.id);
      propose(leader, `lost ${round}`);
      nodes.time.pass(4 * electionMs);
      nodes.cutOff.delete(leader.id);
      const { log, machine } = nodes.get(leader.id);
      nodes.network.leave(leader.id);
      void leader.node.close();
      restart(nodes, leader.id, { image: log.durableImage(), machine });
      nodes.time.pass(2 * electionMs);
      propose(leaderOf(nodes) ?? leader, `kept ${round}`);
      nodes.time.pass(300);
    }
    for (const { node, events } of nodes.nodes) {
      expect(node.quarantine()).toBeUndefined();
      expect(events).not.toContain('peer-rolled-back');
    }
    expect(textsOf(nodes.get(1))).toEqual(textsOf(nodes.get(2)));
  });
});
