import type { NodeId } from '@lockstep/contract/ids';
import type { NodeReport } from '../peers/node-report.ts';
import type { PeerMessage } from '../peers/peers.ts';
import { membersOf } from '../raft/membership.ts';
import type { Membership, Roster } from '../raft/types.ts';

export interface IntroductionsOptions {
  readonly id: NodeId;
  readonly membership: () => Membership;
  readonly send: (to: NodeId, message: PeerMessage) => void;
}

/**
 * Members tell each other who the members are, where one's log does not reach so far: a node that was away, or that has only just joined, hears
 * nobody but those that it knows, and the one that leads may have come after them.
 */
export class Introductions {
  readonly #options: IntroductionsOptions;

  constructor(options: IntroductionsOptions) {
    this.#options = options;
  }

  /** A peer has told how far it certainly has come: it does so each second, and is answered only as long as it lacks the last change of members. */
  reported(from: NodeId, { floor }: Pick<NodeReport, 'floor'>): void {
    const { id, membership, send } = this.#options;
    const { roster } = membership();
    // Its log may be longer than what is committed, with other entries.
    if (roster === undefined || floor >= roster.index || !membersOf(membership()).includes(from)) return;
    send(from, { kind: 'roster', from: id, roster });
  }
}

/** Whether `told` names this node as a member of a later membership than `known`: nobody else's introductions count. */
export function isNews(
  told: Roster,
  { id, known }: { readonly id: NodeId; readonly known: Roster | undefined },
): boolean {
  return told.members.some(({ node }) => node === id) && isLater(told, known);
}

/** Whether `other` tells of a later membership. An epoch that was entered by force is later than all that came before it. */
export function isLater(other: Roster, than: Roster | undefined): boolean {
  if (than === undefined) return true;
  return other.epoch === than.epoch ? other.index > than.index : other.epoch > than.epoch;
}
