import type { NodeId } from '@lockstep/contract/ids';
import type { LogStore } from '@lockstep/core/log/log-store';
import type { PeerEvents, PeerMessage, Peers } from '@lockstep/core/peers/peers';
import type { StateMachine } from '@lockstep/core/port';
import type { Role } from '@lockstep/core/raft/types';
import type { Checker } from './check/checker.ts';
import { describeMessage } from './describe.ts';
import type { FrameKind } from './wires.ts';

/** What the parts of a node are watched by. */
export interface Watch {
  readonly id: NodeId;
  readonly checker: Checker;
  /** Of the core, at this very moment. */
  readonly role: () => Role;
  /** Comes before and after everything that leaves the node or reaches its disks. It may throw, and so end the process there. */
  readonly effect: (name: string) => void;
  /** Says what the frames sent during `send` are. */
  /** For who reads the trace. */
  readonly tell: (what: () => string) => void;
  readonly sending: (kind: FrameKind, send: () => void) => void;
}

/** Raft's own messages travel in frames of their own: they may be repeated and reordered. */
export function watchedPeers(peers: Peers, { id, checker, effect, sending, tell }: Watch): Peers {
  return {
    ...peers,
    send: (to, messages) => {
      effect('send');
      for (const message of messages) tell(() => `  n${id} → n${to}  ${describeMessage(message)}`);
      for (const message of messages) if (message.kind === 'raft') checker.sent(id, message.message);
      const raft = messages.filter(isRaft);
      const driver = messages.filter((message) => !isRaft(message));
      if (raft.length > 0) sending('raft', () => peers.send(to, raft));
      if (driver.length > 0) sending('driver', () => peers.send(to, driver));
      effect('sent');
    },
  };
}

export function watchedEvents(events: PeerEvents, { id, checker, tell }: Watch): PeerEvents {
  return {
    ...events,
    onMessages: (from, messages) => {
      for (const message of messages) tell(() => `  n${id} ← n${from}  ${describeMessage(message)}`);
      for (const message of messages) if (message.kind === 'raft') checker.received(id, message.message);
      events.onMessages(from, messages);
    },
  };
}

export function watchedStore(store: LogStore, { id, checker, effect, role }: Watch): LogStore {
  return {
    write: (batches, done) => {
      effect('write');
      checker.writing(id, batches);
      store.write(batches, () => {
        checker.written(id, batches);
        done();
      });
      effect('write begun');
    },
    read: (range, done) => store.read(range, done),
    compact: (snapshot, done) => {
      effect('compact');
      checker.compacting(id, snapshot.index, role());
      store.compact(snapshot, () => {
        checker.compacted(id, snapshot.index);
        done();
      });
      effect('compact begun');
    },
    saveMembership: (membership, index, done) => {
      effect('save membership');
      store.saveMembership(membership, index, done);
      effect('save membership begun');
    },
    stats: () => store.stats(),
    close: () => store.close(),
  };
}

/** The calls that come from the node's loop; those that come from the network or the disk are no place to die in that others have not. */
export function watchedMachine(machine: StateMachine, { effect }: Watch): StateMachine {
  const watched = (name: string, call: () => void): void => {
    effect(name);
    call();
    effect(`${name} begun`);
  };
  return {
    encoder: () => machine.encoder(),
    lastTimeMs: () => machine.lastTimeMs(),
    appliedIndex: () => machine.appliedIndex(),
    control: (entry) => machine.control(entry),
    apply: (entries) => {
      effect('apply');
      const isTaken = machine.apply(entries);
      effect('applied');
      return isTaken;
    },
    takeSnapshot: (done) => watched('take snapshot', () => machine.takeSnapshot(done)),
    readSnapshot: (at, done) => machine.readSnapshot(at, done),
    receiveSnapshot: (at, done) => watched('receive snapshot', () => machine.receiveSnapshot(at, done)),
    receivedBytes: (id) => machine.receivedBytes(id),
    installSnapshot: (meta, done) => watched('install snapshot', () => machine.installSnapshot(meta, done)),
    installedSnapshot: () => machine.installedSnapshot?.(),
  };
}

function isRaft(message: PeerMessage): boolean {
  return message.kind === 'raft';
}
