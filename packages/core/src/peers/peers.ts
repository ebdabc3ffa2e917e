import type { LogIndex, NodeId } from '@lockstep/contract/ids';
import type { Message, Roster, SnapshotMeta } from '../raft/types.ts';
import type { LeaderAnswer, LeaderAsk } from './leader-asks.ts';
import type { NodeReport } from './node-report.ts';

export type Append = Extract<Message, { type: 'append' }>;

/** What travels between nodes in one frame: Raft messages, and the driver's own requests and answers. */
export type PeerMessage =
  | { readonly kind: 'raft'; readonly message: Message }
  /** Transactions from a node that decided them to the leader that orders them. `id` is the sender's. */
  | {
      readonly kind: 'propose';
      readonly from: NodeId;
      readonly id: number;
      readonly transactions: readonly Uint8Array[];
    }
  /** Where the proposal's transactions stand (ordinal counts within the entry), or why nothing was appended. */
  | {
      readonly kind: 'proposed';
      readonly id: number;
      readonly outcome:
        | { readonly kind: 'appended'; readonly index: number; readonly term: number; readonly firstOrdinal: number }
        | { readonly kind: 'refused'; readonly reason: RefusedReason };
    }
  | { readonly kind: 'read-index'; readonly from: NodeId; readonly id: number }
  | {
      readonly kind: 'read-index-reply';
      readonly id: number;
      readonly outcome:
        | { readonly kind: 'confirmed'; readonly index: number; readonly timeMs: number }
        | { readonly kind: 'refused'; readonly reason: RefusedReason };
    }
  /** The leader asks what time it is by a voter's clock. */
  | { readonly kind: 'clock-ask'; readonly from: NodeId; readonly id: number }
  | { readonly kind: 'clock'; readonly from: NodeId; readonly id: number; readonly wallMs: number }
  | { readonly kind: 'report'; readonly from: NodeId; readonly report: NodeReport }
  /** The sender remembers that the receiver had told it of this term and floor: its disk has gone back. */
  | { readonly kind: 'rolled-back'; readonly from: NodeId; readonly term: number; readonly floor: number }
  /** Who the members are, for one whose log does not tell yet. */
  | { readonly kind: 'roster'; readonly from: NodeId; readonly roster: Roster }
  /** A node that was asked passes on what only the leader can decide. `id` is the sender's. */
  | { readonly kind: 'ask'; readonly from: NodeId; readonly id: number; readonly ask: LeaderAsk }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: LeaderAnswer }
  /** The sender's state is damaged: it wants a snapshot from which its own log, which begins after `minIndex`, goes on. */
  | { readonly kind: 'state-ask'; readonly from: NodeId; readonly minIndex: LogIndex }
  /** One that can be pulled from the sender; undefined where there is none now. */
  | { readonly kind: 'state-offer'; readonly from: NodeId; readonly meta: SnapshotMeta | undefined };

export type RefusedReason = 'no-leader' | 'sealed' | 'busy' | 'too-large' | 'disk-full';

/**
 * The streams to the other nodes. `send` never throws and never waits; it may drop (Raft repeats what matters), so a sender of
 * a `propose` learns of a broken stream through `onDisconnected` and treats the proposal's outcome as unknown.
 */
export interface Peers {
  readonly send: (to: NodeId, messages: readonly PeerMessage[]) => void;
  /** Whom to hear and talk to from now on, and whom to tell that they are members no more. */
  readonly setPeers: (peers: readonly PeerAddress[], buried?: Buried) => void;
  readonly close: () => Promise<void>;
}

export interface PeerEvents {
  /** What that node shall hear first on a new stream, before anything that is sent on it. */
  readonly greeting?: (to: NodeId) => readonly PeerMessage[];
  readonly onMessages: (from: NodeId, messages: readonly PeerMessage[]) => void;
  /** The stream to that node broke: what was sent on it and not answered may or may not have arrived. */
  readonly onDisconnected: (from: NodeId) => void;
  /** A peer has shown the incarnation of its disk. */
  readonly onIncarnation?: (node: NodeId, incarnation: number) => void;
  /** A peer refuses this node for what it has become. */
  readonly onRefused?: (by: NodeId, refusal: StandingRefusal) => void;
}

export interface PeerAddress {
  readonly node: NodeId;
  /** host:port */
  readonly address: string;
  /** The pin (see `pinOf`) of its key; without it no connection is made. */
  readonly pin?: string;
  /** Of its disk, where it is known: another one is refused. */
  readonly incarnation?: number;
}

/** Nodes that were removed, by the membership of this epoch and entry. */
export interface Buried {
  readonly epoch: number;
  readonly index: number;
  readonly removed: readonly { readonly node: NodeId; readonly pin: string }[];
}

/** What a peer says that this node has become: a member no more, or one whose disk was lost. */
export type StandingRefusal =
  | { readonly kind: 'removed'; readonly epoch: number; readonly index: number }
  | { readonly kind: 'other-disk' };
