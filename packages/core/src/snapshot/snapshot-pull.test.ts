import { NodeId } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { type MemoryDelivery, MemoryNetwork } from '../peers/memory-peers.ts';
import type { PullHandlers, PullSnapshot, SnapshotSource } from '../peers/snapshot-transfer.ts';
import { pullAttemptsMax, pullIdleMs, pullRetryMs } from './limits.ts';
import { type SnapshotPullOptions, startSnapshotPull } from './snapshot-pull.ts';

const n1 = NodeId(1);
const n2 = NodeId(2);
const bytes = Uint8Array.from({ length: 1_000_000 }, (_, at) => at % 251);

/** Virtual time: `pass` runs what falls due. */
class Timers {
  #nowMs = 0;
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>();

  readonly setTimer = (ms: number, run: () => void): (() => void) => {
    const timer = { atMs: this.#nowMs + ms, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  };

  pass(ms: number): void {
    this.#nowMs += ms;
    for (const timer of this.#timers) {
      if (timer.atMs > this.#nowMs) continue;
      this.#timers.delete(timer);
      timer.run();
    }
  }

  get count(): number {
    return this.#timers.size;
  }
}

/** A place for received bytes, which may fail or take its time. */
class Store {
  readonly parts: Uint8Array[] = [];
  isBroken = false;

  readonly machine: SnapshotPullOptions['machine'] = {
    receivedBytes: () => this.bytes.length,
    receiveSnapshot: ({ offset, data }, done) => {
      expect(offset).toBe(this.bytes.length);
      if (this.isBroken) {
        done(false);
        return;
      }
      this.parts.push(data);
      done(true);
    },
  };

  get bytes(): Buffer {
    return Buffer.concat(this.parts);
  }
}

/** A follower at node 1 that pulls from node 2, over a network that the test delivers. */
function follower(source: SnapshotSource['read']): {
  readonly timers: Timers;
  readonly store: Store;
  readonly outcomes: boolean[];
  readonly sent: MemoryDelivery[];
  readonly net: MemoryNetwork;
  readonly arriveAll: () => void;
  readonly cancel: () => void;
} {
  const sent: MemoryDelivery[] = [];
  const net = new MemoryNetwork((delivery) => sent.push(delivery));
  const events = { onMessages: () => undefined, onDisconnected: () => undefined };
  const { pullSnapshot, peers } = net.join(n1, events, { read: (_id, _offset, _max, done) => done(undefined) });
  peers.setPeers([{ node: n2, address: '' }]);
  net.join(n2, events, { read: source });
  const timers = new Timers();
  const store = new Store();
  const outcomes: boolean[] = [];
  const options = { pull: pullSnapshot, machine: store.machine, setTimer: timers.setTimer };
  const { cancel } = startSnapshotPull(options, { from: n2, id: 's1' }, (ok) => outcomes.push(ok));
  const arriveAll = (): void => {
    for (let next = sent.shift(); next !== undefined; next = sent.shift()) next.arrive();
  };
  return { timers, store, outcomes, sent, net, arriveAll, cancel };
}

const whole: SnapshotSource['read'] = (_id, offset, max, done) =>
  done({ data: bytes.subarray(offset, offset + max), total: bytes.length });

describe('a snapshot pull', () => {
  test('that always fails is given up after so many attempts, and leaves no timer', () => {
    let reads = 0;
    const { timers, outcomes, arriveAll, store } = follower((_id, _offset, _max, done) => {
      reads++;
      done(undefined);
    });
    for (let attempt = 0; attempt < pullAttemptsMax; attempt++) {
      expect(outcomes).toEqual([]);
      arriveAll();
      timers.pass(pullRetryMs);
    }
    expect(outcomes).toEqual([false]);
    expect([reads, timers.count, store.parts]).toEqual([pullAttemptsMax, 0, []]);
  });

  test('that hangs is made again, and given up after so many attempts', () => {
    const { timers, outcomes, sent } = follower(whole);
    for (let attempt = 0; attempt < pullAttemptsMax; attempt++) {
      expect(outcomes).toEqual([]);
      timers.pass(pullIdleMs - 1);
      expect(sent).toHaveLength(attempt + 1);
      timers.pass(1);
      timers.pass(pullRetryMs);
    }
    expect(outcomes).toEqual([false]);
    expect(timers.count).toBe(0);
  });

  test('that the state machine refuses to store fails at once', () => {
    const { store, outcomes, arriveAll, timers } = follower(whole);
    store.isBroken = true;
    arriveAll();
    expect(outcomes).toEqual([false]);
    expect(timers.count).toBe(0);
  });

  test('brings every byte in order and says so once', () => {
    const { store, outcomes, arriveAll, timers } = follower(whole);
    arriveAll();
    expect(store.bytes.equals(bytes)).toBe(true);
    expect(outcomes).toEqual([true]);
    expect(timers.count).toBe(0);
  });

  test('resumes where it broke, however often, as long as each attempt brings something', () => {
    const { store, outcomes, sent, net, arriveAll, timers } = follower(whole);
    for (let breaks = 0; store.bytes.length < bytes.length; breaks++) {
      // Request and one chunk arrive, then the connection breaks with the next request on its way.
      sent.shift()?.arrive();
      sent.shift()?.arrive();
      expect(store.parts).toHaveLength(breaks + 1);
      net.disconnect(n1, n2);
      sent.length = 0;
      timers.pass(pullRetryMs);
    }
    arriveAll();
    expect(store.bytes.equals(bytes)).toBe(true);
    expect(outcomes).toEqual([true]);
  });

  test('lost chunks cost an idle time each and no byte', () => {
    const { store, outcomes, sent, timers } = follower(whole);
    let deliveries = 0;
    while (outcomes.length === 0) {
      const next = sent.shift();
      if (next === undefined) {
        timers.pass(pullIdleMs);
        timers.pass(pullRetryMs);
      } else if (++deliveries % 3 !== 0) next.arrive();
    }
    expect(outcomes).toEqual([true]);
    expect(store.bytes.equals(bytes)).toBe(true);
  });

  test('that is cancelled calls nobody and leaves no timer', () => {
    const { store, outcomes, sent, arriveAll, timers, cancel } = follower(whole);
    sent.shift()?.arrive();
    sent.shift()?.arrive();
    cancel();
    arriveAll();
    timers.pass(100 * pullIdleMs);
    expect([store.parts.length, outcomes.length, timers.count]).toEqual([1, 0, 0]);
  });

  test('ignores what an attempt that was given up still delivers, and a pull that ends before it returns', () => {
    const handlers: PullHandlers[] = [];
    const cancelled: number[] = [];
    const pull: PullSnapshot = (_from, _id, _offset, given) => {
      const attempt = handlers.push(given);
      if (attempt === 2) given.onEnd(new Error('refused at once'));
      return { cancel: () => void cancelled.push(attempt) };
    };
    const timers = new Timers();
    const store = new Store();
    const outcomes: boolean[] = [];
    const options = { pull, machine: store.machine, setTimer: timers.setTimer };
    startSnapshotPull(options, { from: n2, id: 's1' }, (ok) => outcomes.push(ok));
    timers.pass(pullIdleMs);
    timers.pass(pullRetryMs);
    timers.pass(pullRetryMs);
    expect(handlers).toHaveLength(3);
    expect(cancelled).toEqual([1, 2]);
    handlers[0]?.onChunk(Uint8Array.of(1), 0, 2, () => expect.unreachable());
    handlers[0]?.onEnd();
    expect([store.parts, outcomes]).toEqual([[], []]);
    handlers[2]?.onChunk(Uint8Array.of(1), 0, 1, () => handlers[2]?.onEnd());
    expect(outcomes).toEqual([true]);
  });
});
