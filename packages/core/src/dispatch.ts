import type { NodeId } from '@lockstep/contract/ids';
import type { DiskCare } from './disk-care.ts';
import type { MemberClocks } from './member-clocks.ts';
import type { LeaderDesk } from './leader-desk.ts';
import type { Introductions } from './members/introductions.ts';
import type { OwnMembership } from './members/own-membership.ts';
import type { PeerMessage } from './peers/peers.ts';
import type { Proposals } from './proposals.ts';
import type { Message } from './raft/types.ts';
import type { Reads } from './reads.ts';
import type { StateCare } from './state-care.ts';

/** Who takes which of a peer's messages. */
export interface Receivers {
  readonly raft: (from: NodeId, message: Message) => void;
  /** A peer that serves clients asks something of this node. */
  readonly asked: (from: NodeId) => void;
  readonly proposals: Proposals;
  readonly reads: Reads;
  readonly clocks: MemberClocks;
  readonly disk: DiskCare;
  readonly state: StateCare;
  readonly desk: LeaderDesk;
  readonly membership: OwnMembership;
  readonly introductions: Introductions;
}

/** Hands a peer's message to the part of the driver that it is for. */
export function dispatch(to: Receivers, from: NodeId, message: PeerMessage): void {
  switch (message.kind) {
    case 'raft':
      return to.raft(from, message.message);
    case 'propose':
      to.asked(from);
      return to.proposals.receive(from, message.id, message.transactions);
    case 'read-index':
      to.asked(from);
      return to.reads.receive(from, message.id);
    case 'proposed':
      return to.proposals.answered(message.id, message.outcome);
    case 'read-index-reply':
      return to.reads.answered(message.id, message.outcome);
    case 'clock-ask':
      return to.clocks.answer(from, message.id);
    case 'clock':
      return to.clocks.told(from, message.id, message.wallMs);
    case 'report':
      to.disk.told(from, message.report);
      to.introductions.reported(from, message.report);
      return to.state.told(from, message.report);
    case 'rolled-back':
      return to.disk.accused(from, message);
    case 'roster':
      return to.membership.introduced(from, message.roster);
    case 'state-ask':
    case 'state-offer':
      return to.state.receive(from, message);
    case 'ask':
      return to.desk.calls.receive(from, message.id, message.ask);
    case 'answer':
      return to.desk.calls.answered(from, message.id, message.answer);
    default:
      message satisfies never;
  }
}
