import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { type MemoryDelivery, type MemoryEndpoint, MemoryNetwork } from './memory-peers.ts';
import type { PeerMessage } from './peers.ts';
import type { SnapshotSource } from './snapshot-transfer.ts';

const n1 = NodeId(1);
const n2 = NodeId(2);

const bytes = Uint8Array.from({ length: 600_000 }, (_, at) => at % 251);
const source: SnapshotSource = {
  read: (id, offset, bytesMax, done) =>
    done(id === 's1' ? { data: bytes.subarray(offset, offset + bytesMax), total: bytes.length } : undefined),
};

interface Member extends MemoryEndpoint {
  readonly received: PeerMessage[];
  readonly disconnected: NodeId[];
}

function join(network: MemoryNetwork, node: NodeId): Member {
  const received: PeerMessage[] = [];
  const disconnected: NodeId[] = [];
  const events = {
    onMessages: (_from: NodeId, messages: readonly PeerMessage[]) => void received.push(...messages),
    onDisconnected: (from: NodeId) => void disconnected.push(from),
  };
  const endpoint = network.join(node, events, source);
  endpoint.peers.setPeers([n1, n2].map((peer) => ({ node: peer, address: '' })));
  return { ...endpoint, received, disconnected };
}

function heartbeat(from: NodeId, to: NodeId, readPosition = 1): PeerMessage {
  return { kind: 'raft', message: { type: 'heartbeat', from, to, term: Term(1), commit: LogIndex(0), readPosition } };
}

function network(): { net: MemoryNetwork; sent: MemoryDelivery[]; arriveAll: () => void } {
  const sent: MemoryDelivery[] = [];
  const arriveAll = (): void => {
    for (let next = sent.shift(); next !== undefined; next = sent.shift()) next.arrive();
  };
  return { net: new MemoryNetwork((delivery) => sent.push(delivery)), sent, arriveAll };
}

describe('the memory network', () => {
  test('hands over what arrives: late, never, or twice, as the caller decides', () => {
    const { net, sent } = network();
    const a = join(net, n1);
    const b = join(net, n2);
    for (const position of [1, 2, 3]) a.peers.send(n2, [heartbeat(n1, n2, position)]);
    expect(b.received).toEqual([]);
    sent[2]?.arrive();
    sent[0]?.arrive();
    sent[0]?.arrive();
    expect(b.received).toEqual([3, 1, 1].map((position) => heartbeat(n1, n2, position)));
    expect(sent[0]).toMatchObject({ from: n1, to: n2, kind: 'messages', bytes: 46 });
  });

  test('what was sent to an earlier run of a node never reaches a later one, and the others hear of the break', () => {
    const { net, sent } = network();
    const a = join(net, n1);
    const before = join(net, n2);
    a.peers.send(n2, [heartbeat(n1, n2)]);
    net.leave(n2);
    a.peers.send(n2, [heartbeat(n1, n2)]);
    const after = join(net, n2);
    for (const delivery of sent) delivery.arrive();
    expect([before.received, after.received]).toEqual([[], []]);
    expect([a.disconnected, before.disconnected]).toEqual([[n2], []]);
    before.peers.send(n1, [heartbeat(n2, n1)]);
    expect(sent).toHaveLength(1);
  });

  test('nothing of an earlier run of a node arrives once its next one was heard', () => {
    const { net, sent } = network();
    const b = join(net, n2);
    const before = join(net, n1);
    for (const position of [1, 2]) before.peers.send(n2, [heartbeat(n1, n2, position)]);
    net.leave(n1);
    join(net, n1).peers.send(n2, [heartbeat(n1, n2, 3)]);
    const [first, late, next] = sent;
    for (const delivery of [first, next, late]) delivery?.arrive();
    expect(b.received).toEqual([1, 3].map((position) => heartbeat(n1, n2, position)));
  });

  test('a broken connection is told to both ends; a node outside the membership gets nothing', async () => {
    const { net, sent } = network();
    const a = join(net, n1);
    const b = join(net, n2);
    net.disconnect(n1, n2);
    expect([a.disconnected, b.disconnected]).toEqual([[n2], [n1]]);
    a.peers.setPeers([]);
    a.peers.send(n2, [heartbeat(n1, n2)]);
    expect(sent).toEqual([]);
    await b.peers.close();
    b.peers.send(n1, [heartbeat(n2, n1)]);
    expect(sent).toEqual([]);
  });

  test('a node that speaks for another is a broken program', () => {
    const { net, sent } = network();
    const a = join(net, n1);
    join(net, n2);
    a.peers.send(n2, [heartbeat(n2, n2)]);
    expect(() => sent[0]?.arrive()).toThrow(/in the name of node 2/);
  });
});

describe('a snapshot over the memory network', () => {
  function pull(
    from: Member,
    id: string,
    offset: number,
  ): { parts: Uint8Array[]; ends: (string | undefined)[]; cancel: () => void } {
    const parts: Uint8Array[] = [];
    const ends: (string | undefined)[] = [];
    const { cancel } = from.pullSnapshot(n2, id, offset, {
      onChunk: (data, at, total, next) => {
        expect([at, total]).toEqual([offset + Buffer.concat(parts).length, bytes.length]);
        parts.push(data);
        next();
      },
      onEnd: (error) => ends.push(error?.message),
    });
    return { parts, ends, cancel };
  }

  test('comes in order from any offset, duplicates ignored', () => {
    const { net, sent } = network();
    const a = join(net, n1);
    join(net, n2);
    const { parts, ends } = pull(a, 's1', 1000);
    for (let next = sent.shift(); next !== undefined; next = sent.shift()) {
      next.arrive();
      next.arrive();
    }
    expect(Buffer.concat(parts).equals(bytes.subarray(1000))).toBe(true);
    expect(ends).toEqual([undefined]);
  });

  test('that is gone, that is cancelled, whose connection breaks', () => {
    const { net, sent, arriveAll } = network();
    const a = join(net, n1);
    join(net, n2);
    const gone = pull(a, 's2', 0);
    arriveAll();
    expect(gone.ends).toEqual(['node 2 has no bytes of snapshot "s2" at 0']);
    const cancelled = pull(a, 's1', 0);
    cancelled.cancel();
    arriveAll();
    expect([cancelled.parts, cancelled.ends]).toEqual([[], []]);
    const broken = pull(a, 's1', 0);
    net.disconnect(n1, n2);
    arriveAll();
    expect(broken.ends).toEqual(['the stream to node 2 broke']);
    expect(sent).toEqual([]);
  });
});
