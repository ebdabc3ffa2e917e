import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { Progress } from './progress.ts';

/** A peer that acknowledged up to 5, in the given state. */
function peerAt5(state: 'probe' | 'replicate' | 'snapshot'): Progress {
  const peer = new Progress({
    node: NodeId(2),
    next: LogIndex(6),
    isLearner: false,
    max: { messages: 2, bytes: 1000 },
  });
  peer.acknowledge(LogIndex(5));
  if (state === 'replicate') peer.becomeReplicate();
  if (state === 'snapshot') peer.becomeSnapshot(LogIndex(10));
  return peer;
}

describe('a refusal', () => {
  test('of what a replicating peer has acknowledged is stale', () => {
    const peer = peerAt5('replicate');
    peer.sentAppend(3, 1);
    expect(peer.reject(LogIndex(5), LogIndex(2))).toBe(false);
    expect(peer).toMatchObject({ state: 'replicate', next: 9 });
  });

  test('makes a replicating peer a probed one, right after what it has, with nothing in flight', () => {
    const peer = peerAt5('replicate');
    peer.sentAppend(3, 1);
    expect(peer.reject(LogIndex(8), LogIndex(7))).toBe(true);
    expect(peer).toMatchObject({ state: 'probe', next: 6 });
    expect(peer.inflights.count).toBe(0);
  });

  test('that does not answer the probe under way is stale', () => {
    const peer = peerAt5('probe');
    expect(peer.reject(LogIndex(4), LogIndex(1))).toBe(false);
    expect(peer.reject(LogIndex(9), LogIndex(1))).toBe(false);
    expect(peer.next).toBe(6);
  });

  test('takes the hint, but never goes behind what is acknowledged', () => {
    const peer = new Progress({
      node: NodeId(2),
      next: LogIndex(20),
      isLearner: false,
      max: { messages: 2, bytes: 1000 },
    });
    peer.sentAppend(1, 1);
    expect(peer.isPaused).toBe(true);
    expect(peer.reject(LogIndex(19), LogIndex(9))).toBe(true);
    expect(peer).toMatchObject({ next: 10, isPaused: false });
    peer.acknowledge(LogIndex(7));
    expect(peer.reject(LogIndex(9), LogIndex(2))).toBe(true);
    expect(peer.next).toBe(8);
  });

  test('with a hint after the probe goes back by one at least', () => {
    const peer = new Progress({
      node: NodeId(2),
      next: LogIndex(20),
      isLearner: false,
      max: { messages: 2, bytes: 1000 },
    });
    expect(peer.reject(LogIndex(19), LogIndex(40))).toBe(true);
    expect(peer.next).toBe(19);
  });

  test('while a snapshot is on its way is stale', () => {
    const peer = peerAt5('snapshot');
    expect(peer.reject(LogIndex(10), LogIndex(1))).toBe(false);
    expect(peer).toMatchObject({ state: 'snapshot', next: 11 });
  });
});

describe('sending', () => {
  test('a probed peer has one append with entries at a time', () => {
    const peer = peerAt5('probe');
    peer.sentAppend(0, 0);
    expect(peer.isPaused).toBe(false);
    peer.sentAppend(2, 1);
    expect(peer).toMatchObject({ isPaused: true, next: 6 });
    peer.resumeFlow();
    expect(peer.isPaused).toBe(false);
  });

  test('a replicating peer is ahead of its answers until its window is full', () => {
    const peer = peerAt5('replicate');
    peer.sentAppend(2, 1);
    expect(peer).toMatchObject({ isPaused: false, next: 8 });
    peer.sentAppend(1, 1);
    expect(peer).toMatchObject({ isPaused: true, next: 9 });
    peer.acknowledge(LogIndex(7));
    peer.inflights.freeUpTo(LogIndex(7));
    expect(peer.isPaused).toBe(false);
  });

  test('a full window takes one empty append for each sign of life', () => {
    const peer = peerAt5('replicate');
    peer.sentAppend(1, 1);
    peer.sentAppend(1, 1);
    peer.resumeFlow();
    expect(peer.isPaused).toBe(false);
    peer.sentAppend(0, 0);
    expect(peer).toMatchObject({ isPaused: true, next: 8 });
  });

  test('a peer that takes a snapshot has nothing sent', () => {
    const peer = peerAt5('snapshot');
    peer.resumeFlow();
    expect(peer.isPaused).toBe(true);
  });
});

describe('a snapshot', () => {
  test('that failed leaves a paused probe after what the peer has', () => {
    const peer = peerAt5('snapshot');
    peer.snapshotFailed();
    expect(peer).toMatchObject({ state: 'probe', next: 6, isPaused: true });
  });

  test('that may have arrived is probed right after', () => {
    const peer = peerAt5('snapshot');
    peer.becomeProbe();
    expect(peer).toMatchObject({ state: 'probe', next: 11, isPaused: false });
  });
});

describe('the commit index', () => {
  test('is worth a message while the peer could commit more of what it was sent', () => {
    const peer = peerAt5('replicate');
    expect(peer.canRaiseCommit(LogIndex(3))).toBe(true);
    peer.sentCommit(LogIndex(3));
    expect(peer.canRaiseCommit(LogIndex(3))).toBe(false);
    expect(peer.canRaiseCommit(LogIndex(4))).toBe(true);
    peer.sentCommit(LogIndex(5));
    expect(peer.canRaiseCommit(LogIndex(6))).toBe(false);
  });
});
