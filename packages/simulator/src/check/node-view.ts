import type { NodeId } from '@lockstep/contract/ids';
import type { MemoryLogImage } from '@lockstep/core/log/memory-log';
import type { PersistBatch, RaftStatus } from '@lockstep/core/raft/types';
import { LogView } from './log-view.ts';
import type { Voting } from './membership-model.ts';
import { ReadRounds } from './read-rounds.ts';
import { ShownCommits } from './shown-commits.ts';

/** What the checker knows of one run of one node. */
export interface NodeView {
  readonly id: NodeId;
  /** Counts the runs of this node. */
  readonly run: number;
  /** Its log as the core has it. */
  readonly log: LogView;
  /** Its log as the disk certainly has it. */
  readonly durable: LogView;
  /** `term/index` of the entries that the disk certainly held in this run and does not hold any more. */
  readonly held: Set<string>;
  readonly reads: ReadRounds;
  readonly shown: ShownCommits;
  /** Written and not yet durable, in order. */
  unsynced: PersistBatch[];
  last: RaftStatus | undefined;
  /** The term that it leads; undefined when it leads none. */
  leads: number | undefined;
  commit: number;
  applied: number;
  /** In force here: all changes up to `votingIndex` have taken effect. */
  voting: Voting;
  votingIndex: number;
  /** A write failed: nothing may leave it any more. */
  isPoisoned: boolean;
  /** When it last heard a leader of its term; undefined: not in this run. */
  heardMs: number | undefined;
  /** Whether its next campaign is its own, or somebody's wish, which it has followed (`done`) until it hears a leader again. */
  campaign: 'own' | 'told' | 'done';
  /** What the leader knew of each peer when it was last checked. */
  readonly match: Map<NodeId, number>;
  /** The snapshots that it offered as leader and that are not taken or given up yet. */
  readonly offered: Map<NodeId, number>;
}

export function newNodeView(
  of: { readonly id: NodeId; readonly run: number; readonly applied: number },
  image: MemoryLogImage,
): NodeView {
  const log = LogView.of(image);
  return {
    ...of,
    log,
    durable: LogView.of(image),
    held: new Set(),
    reads: new ReadRounds(),
    shown: new ShownCommits(Math.max(image.hardState.commit, of.applied, image.appliedMembershipIndex)),
    unsynced: [],
    last: undefined,
    leads: undefined,
    commit: 0,
    voting: image.membership,
    votingIndex: image.appliedMembershipIndex,
    isPoisoned: false,
    heardMs: undefined,
    campaign: 'own',
    match: new Map(),
    offered: new Map(),
  };
}

/** The disk has done this: it survives from now on. */
export function becameDurable(node: NodeView, batch: PersistBatch): void {
  const { durable, held } = node;
  const cutFrom = batch.snapshot === undefined ? batch.truncateFrom : batch.snapshot.index + 1;
  for (let index = cutFrom ?? durable.lastIndex + 1; index <= durable.lastIndex; index++)
    held.add(`${durable.termAt(index)}/${index}`);
  durable.apply(batch);
}

/** Its disk holds this entry, or did, until one of a later term took its place. */
export function hasHeld({ durable, held }: NodeView, index: number, term: number): boolean {
  return durable.holds(index, term) || held.has(`${term}/${index}`);
}
