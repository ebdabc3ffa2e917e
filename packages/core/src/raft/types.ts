import type { LogIndex, NodeId, Term } from '@lockstep/contract/ids';

/**
 * What an entry holds. `noop` opens a term, `membership` carries a `MembershipChange`, `control` is the state machine's own
 * unsealed entry (keyring, seal configuration), `transactions` is a sealed batch of transactions.
 */
export type EntryType = 'noop' | 'transactions' | 'membership' | 'control';

/** One position of the log. `data` is opaque here and stays the same buffer from the network to the disk. */
export interface Entry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly type: EntryType;
  readonly data: Uint8Array;
}

/** What must survive a restart besides the log (Raft §5.2, figure 2). */
export interface HardState {
  readonly term: Term;
  /** Whom this node voted for in `term`; 0 for nobody. */
  readonly vote: NodeId;
  readonly commit: LogIndex;
}

/** etcd's shape of a membership: `votersOutgoing` is filled only in a joint configuration. */
export interface Membership {
  readonly voters: readonly NodeId[];
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  readonly learnersNext: readonly NodeId[];
  readonly autoLeave: boolean;
  /** Who the members are. Absent where nobody said (etcd's cases). */
  readonly roster?: Roster;
}

/** Everything about a member but its vote. Texts are empty, and the incarnation 0, where nobody said. */
export interface Member {
  readonly node: NodeId;
  readonly name: string;
  /** host:port, where the other nodes reach it. */
  readonly peerAddress: string;
  /** A URL, where clients reach its HTTP door. */
  readonly apiAddress: string;
  /** host:port of its gRPC door. */
  readonly grpcAddress: string;
  /** SHA-256 of its public key (SubjectPublicKeyInfo), in hexadecimal: the key that its connections must show. */
  readonly pin: string;
  /** Drawn when its disk was formatted. Once known it never changes: another one is a lost disk, which must not vote. */
  readonly incarnation: number;
}

/** A node that was a member. It never is again: who comes back joins under another id. */
export interface Tombstone {
  readonly node: NodeId;
  /** So that it is recognised when it comes back, and can be told. */
  readonly pin: string;
}

/** Who the members of a membership are: a function of the log, as the membership is. */
export interface Roster {
  /** The entry that made the membership what it is, the same on every node: what compare-and-set asks for. */
  readonly index: LogIndex;
  /** How often this cluster went on without its quorum, by force. A node of an earlier epoch has been left behind. */
  readonly epoch: number;
  /** In the order of their ids. */
  readonly members: readonly Member[];
  /** The latest first. */
  readonly removed: readonly Tombstone[];
}

export type MembershipStep =
  | { readonly kind: 'add-voter'; readonly node: NodeId }
  | { readonly kind: 'add-learner'; readonly node: NodeId }
  | { readonly kind: 'remove'; readonly node: NodeId }
  | { readonly kind: 'update'; readonly node: NodeId };

/** One entry of type `membership`. No steps: leave the joint configuration. `context` holds what is new about members (`encodeMembers`). */
export interface MembershipChange {
  readonly transition: 'auto' | 'joint-implicit' | 'joint-explicit';
  readonly steps: readonly MembershipStep[];
  readonly context: Uint8Array;
}

/** Names a state at a log position, without its contents. `id` is the host's name for the stored contents ('' in the pure core's tests). */
export interface SnapshotMeta {
  readonly id: string;
  readonly index: LogIndex;
  readonly term: Term;
  readonly membership: Membership;
}

/**
 * An answer tells how far the voter knows the log to be committed, and the term of that entry. Without it a cluster can be stuck
 * for good: a candidate that holds a change but doesn't know that it is committed needs the vote of a node that the change removed,
 * whose log is longer, and which may not campaign itself; or which is gone, and then those who grant their vote must tell,
 * or a learner, if only that has heard.
 */
export interface KnownCommit {
  readonly commit?: LogIndex;
  readonly commitTerm?: Term;
}

/** Between nodes. Every message carries its sender, its target and the sender's term (`term` 0 only for forwarded ones). */
export type Message = { readonly from: NodeId; readonly to: NodeId; readonly term: Term } & (
  | { readonly type: 'pre-vote'; readonly lastIndex: LogIndex; readonly lastTerm: Term; readonly transfer: boolean }
  | ({ readonly type: 'pre-vote-reply'; readonly rejected: boolean } & KnownCommit)
  | { readonly type: 'vote'; readonly lastIndex: LogIndex; readonly lastTerm: Term; readonly transfer: boolean }
  | ({ readonly type: 'vote-reply'; readonly rejected: boolean } & KnownCommit)
  | {
      readonly type: 'append';
      readonly prevIndex: LogIndex;
      readonly prevTerm: Term;
      readonly commit: LogIndex;
      readonly entries: readonly Entry[];
    }
  | {
      readonly type: 'append-reply';
      /** The last index known to match, or the refused `prevIndex` when rejected. */
      readonly index: LogIndex;
      readonly rejected: boolean;
      readonly hintIndex: LogIndex;
      readonly hintTerm: Term;
    }
  /** `commit` is min(match, commit) of the target; `readPosition` counts up within the leader's term (never a caller's id). */
  | { readonly type: 'heartbeat'; readonly commit: LogIndex; readonly readPosition: number }
  | { readonly type: 'heartbeat-reply'; readonly readPosition: number }
  | { readonly type: 'snapshot'; readonly meta: SnapshotMeta }
  | { readonly type: 'timeout-now' }
);

export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

/**
 * One atomic, ordered write. The store applies: delete from `truncateFrom` on, put `entries`, put `hardState`,
 * or, with `snapshot`, forget the whole log and begin after it. All of it or nothing.
 */
export interface PersistBatch {
  /** Counts up by one for each batch of this run. */
  readonly sequence: number;
  readonly hardState: HardState | undefined;
  readonly truncateFrom: LogIndex | undefined;
  readonly entries: readonly Entry[];
  readonly snapshot: SnapshotMeta | undefined;
  /** False when only the commit index moved: then no fsync is owed. */
  readonly mustSync: boolean;
}

export interface ReadConfirmed {
  /** The id given to `readIndex`. */
  readonly id: number;
  /** What must be applied before the read is answered. */
  readonly index: LogIndex;
}

/** Entries that the core wants from the store to send to a slow peer; answered by `entriesFetched`. */
export interface EntryFetch {
  readonly id: number;
  readonly to: NodeId;
  /** Inclusive. */
  readonly from: LogIndex;
  /** Exclusive. */
  readonly until: LogIndex;
  readonly bytesMax: number;
}

/** What the host must do next. Drained by `ready()`; the order of the fields is the order of the work. */
export interface Ready {
  readonly role: Role;
  readonly leader: NodeId;
  readonly term: Term;
  /** May leave at once, before this node's own fsync (Ongaro's thesis §10.2.1). */
  readonly messages: readonly Message[];
  readonly persist: PersistBatch | undefined;
  /** Only after `persist` (and all before it) is durable. Without a `persist`: after the batches already under way. */
  readonly messagesAfterPersist: readonly Message[];
  /** Committed and durable here, in order, each once. */
  readonly committed: readonly Entry[];
  readonly reads: readonly ReadConfirmed[];
  /** Ids of reads that can't be confirmed any more (leadership or term changed): ask again. */
  readonly readsDropped: readonly number[];
  readonly fetches: readonly EntryFetch[];
  /** Peers that need a snapshot with index ≥ `minIndex`; answered by `snapshotOffered` or `snapshotFailed`. */
  readonly snapshotsWanted: readonly { readonly to: NodeId; readonly minIndex: LogIndex }[];
}

export type Proposed =
  | { readonly kind: 'appended'; readonly firstIndex: LogIndex; readonly term: Term }
  | {
      readonly kind: 'dropped';
      readonly reason:
        | 'no-leader'
        | 'transferring'
        | 'uncommitted-limit'
        | 'not-member'
        | 'membership-pending'
        /** It can't be made of the membership in force: no voter would be left, or there is no joint configuration to leave. */
        | 'membership-invalid'
        | 'unsupported';
    };

export interface PeerProgress {
  readonly node: NodeId;
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly state: 'probe' | 'replicate' | 'snapshot';
  readonly isLearner: boolean;
  readonly isPaused: boolean;
  readonly isRecentlyActive: boolean;
  readonly inflightCount: number;
  readonly inflightBytes: number;
}

export interface RaftStatus {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly vote: NodeId;
  readonly leader: NodeId;
  readonly commit: LogIndex;
  readonly applied: LogIndex;
  readonly stable: LogIndex;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** Entries in memory: from this index on, and their bytes. */
  readonly tailFirstIndex: LogIndex;
  readonly tailBytes: number;
  /** Data of a leader's own entries that are not applied yet. */
  readonly uncommittedBytes: number;
  /** What a read by lease may be answered at, now; undefined without a lease. */
  readonly leaseIndex: LogIndex | undefined;
  /** Reads that wait for a quorum. */
  readonly readsWaiting: number;
  readonly membership: Membership;
  /** On a leader: a membership change may have been appended, by it or before its term, and not have taken effect. */
  readonly isMembershipPending: boolean;
  readonly progress: readonly PeerProgress[];
}
