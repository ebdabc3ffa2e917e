import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import type { LogStore, StoredLog } from '../log/log-store.ts';
import { MembershipHistory } from '../membership-history.ts';
import type { PeerAddress, Peers, StandingRefusal } from '../peers/peers.ts';
import type { Raft } from '../raft/raft.ts';
import type { Membership, Roster } from '../raft/types.ts';
import { peersOf, withIntroduced } from './founding.ts';
import { isLater, isNews } from './introductions.ts';
import { indexOf } from './plan-change.ts';
import { isSilenced, leftBehind, type Standing, standingAfter, standingIn } from './standing.ts';

export interface OwnMembershipOptions {
  readonly id: NodeId;
  readonly core: Raft;
  readonly stored: Pick<StoredLog, 'appliedMembershipIndex' | 'membership'>;
  readonly store: LogStore;
  /** Whom to hear from where the membership does not tell. */
  readonly members: readonly PeerAddress[];
  readonly log: (event: string, fields: Readonly<Record<string, string | number | boolean>>) => void;
}

/** The memberships that have taken effect on this node, the peers that follow from the last one, and what this node is in it. */
export class OwnMembership {
  readonly history: MembershipHistory;
  readonly #options: OwnMembershipOptions;
  #peers: Peers | undefined;
  #onRemoved: (index: LogIndex) => void = () => undefined;
  /** What a member has said that this node became. */
  #told: Standing | undefined;
  #toldIndex: LogIndex | undefined;
  /** Who the members are by a later membership than this log's. */
  #introduced: Roster | undefined;
  #standing: Standing;

  constructor(options: OwnMembershipOptions) {
    const { stored, id } = options;
    this.#options = options;
    this.history = new MembershipHistory(stored.appliedMembershipIndex, stored.membership);
    this.#standing = standingIn(stored.membership, id);
  }

  get current(): Membership {
    return this.history.current;
  }

  get standing(): Standing {
    return this.#standing;
  }

  /** Neither votes nor acknowledges. */
  get isSilenced(): boolean {
    return isSilenced(this.#standing);
  }

  /** `onRemoved`: this node was removed, by the membership of that entry. It may be called again. */
  connect(peers: Peers, onRemoved: (index: LogIndex) => void): void {
    this.#peers = peers;
    this.#onRemoved = onRemoved;
    this.#follow();
  }

  changed(index: LogIndex, membership: Membership): void {
    this.history.changed(index, membership);
    const { voters, learners } = membership;
    this.#options.log('membership', { index, voters: voters.join(' '), learners: learners.join(' ') });
    this.#follow();
  }

  reset(index: LogIndex, membership: Membership): void {
    this.history.reset(index, membership);
    this.#follow();
  }

  /** A member refuses this node for what it has become. Only the keys of members are listened to, so it is the membership that says so. */
  refused(by: NodeId, refusal: StandingRefusal): void {
    const { id, core, log, store } = this.#options;
    const standing = standingAfter(refusal, this.current.roster);
    if (standing === undefined || standing === this.#standing || this.isSilenced) return;
    this.#told = standing;
    if (refusal.kind === 'removed') this.#toldIndex = LogIndex(refusal.index);
    log('refused-by-member', { by, ...refusal });
    this.#follow();
    core.stepDown();
    if (standing !== 'left-behind' || refusal.kind !== 'removed') return;
    // After a restart nobody may be there to say it again.
    store.saveMembership(leftBehind(this.current, id, refusal.epoch), this.history.index, () => undefined);
  }

  /** A member has told who the members are, by an entry that this node does not have yet. Until it has it, it hears them too. */
  introduced(by: NodeId, roster: Roster): void {
    const known = this.#introduced ?? this.current.roster;
    if (this.#standing === 'removed' || this.isSilenced || !isNews(roster, { id: this.#options.id, known })) return;
    this.#introduced = roster;
    this.#options.log('introduced', { by, index: roster.index });
    this.#follow();
  }

  /** Whom to talk to, and what this node is. */
  #follow(): void {
    const { id, members, log } = this.#options;
    const before = this.#standing;
    this.#standing = this.#told ?? standingIn(this.current, id);
    if (this.#standing !== before) log(this.#standing, { before });
    if (this.#standing === 'removed') this.#onRemoved(this.#toldIndex ?? indexOf(this.current));
    const { epoch = 0, index = 0, removed = [] } = this.current.roster ?? {};
    if (this.#introduced !== undefined && !isLater(this.#introduced, this.current.roster)) this.#introduced = undefined;
    const known = peersOf(this.current, { id, contacts: members });
    const peers = this.isSilenced ? [] : withIntroduced(known, { id, roster: this.#introduced, removed });
    this.#peers?.setPeers(peers, { epoch, index, removed });
  }
}
