import { LogIndex } from '@lockstep/contract/ids';
import { type Core, inflightsMax, noNode, votersOf } from './core.ts';
import { changeMembership, isJoint } from './membership.ts';
import { encodeMembershipChange } from './membership-codec.ts';
import { progressOf } from './progress.ts';
import { isVoter } from './quorum.ts';
import {
  abortTransfer,
  advanceCommit,
  appendOwn,
  hasCommittedInTerm,
  wantAppend,
  whyNoProposal,
} from './replication.ts';
import { becomeFollower } from './roles.ts';
import type { Membership, MembershipChange, Proposed } from './types.ts';

const leaveJoint: MembershipChange = { transition: 'auto', steps: [], context: new Uint8Array(0) };

/**
 * Appends a change, one at a time: refused while an earlier one may not have taken effect here, while this term's first entry has
 * not committed (two leaders in a row could otherwise each change the membership without knowing of the other's: Ongaro, raft-dev, July 2015),
 * and when it could not be applied to the membership in force.
 */
export function proposeMembership(core: Core, change: MembershipChange): Proposed {
  const reason = whyNoProposal(core);
  if (reason !== undefined) return { kind: 'dropped', reason };
  const isLeaving = change.steps.length === 0;
  if (isChangePending(core) || (isJoint(core.membership) && !isLeaving))
    return { kind: 'dropped', reason: 'membership-pending' };
  const place = LogIndex(core.log.lastIndex + 1);
  if (changeMembership(core.membership, change, place).kind === 'refused')
    return { kind: 'dropped', reason: 'membership-invalid' };
  const firstIndex = appendOwn(core, [encodeMembershipChange(change)], 'membership');
  core.pendingMembershipIndex = firstIndex;
  return { kind: 'appended', firstIndex, term: core.term };
}

/**
 * Leaves a joint configuration that was entered to be left by itself, once nothing else is pending. A new leader does it too:
 * the one that entered it may be gone. Called again and again, so that a refusal (during a transfer) only delays it.
 */
export function leaveJointIfDue(core: Core): void {
  if (core.role !== 'leader' || !core.membership.autoLeave || isChangePending(core)) return;
  proposeMembership(core, leaveJoint);
}

/** A committed membership entry takes effect: the same on every node, since a change that can't be made is nothing on all of them. */
export function applyMembership(core: Core, change: MembershipChange | undefined, index: LogIndex): Membership {
  if (index <= core.membershipIndex) return core.membership;
  if (index > core.log.handedOut) throw new Error(`membership entry ${index} was applied before it was handed out`);
  core.membershipIndex = index;
  const outcome = change === undefined ? undefined : changeMembership(core.membership, change, index);
  if (outcome?.kind === 'changed') {
    core.membership = outcome.membership;
    core.voters = votersOf(outcome.membership);
    if (core.role === 'leader') leadWith(core);
    // Votes that were asked of other members than are in force now decide nothing: it may campaign again.
    else if (core.role !== 'follower') becomeFollower(core, core.term, noNode);
  }
  return core.membership;
}

/** Goes on leading with the members that are in force now. */
function leadWith(core: Core): void {
  const known = core.progress;
  // A new member is probed at the log's end.
  const next = LogIndex(Math.max(core.log.lastIndex, 1));
  core.progress = progressOf(core.membership, { known, next, max: inflightsMax(core) });
  // It hasn't had the time to answer: the next check of the quorum must not count that against it.
  for (const peer of core.progress.values()) if (!known.has(peer.node)) peer.isRecentlyActive = true;
  if (!isVoter(core.voters, core.id)) {
    // A leader that is no voter could lead only what others commit: it does not count itself, and gives up at once.
    if (core.stepDownOnRemoval) becomeFollower(core, core.term, noNode);
    return;
  }
  if (!isVoter(core.voters, core.transferee)) abortTransfer(core);
  core.lease?.drop();
  core.reads.confirm(core.voters, core.id);
  // A smaller quorum may have what a larger one had not.
  if (advanceCommit(core)) return;
  for (const peer of core.progress.values()) if (peer.node !== core.id) wantAppend(core, peer, 'if-entries');
}

/** A membership entry that this leader knows of may not have taken effect here. */
export function isChangePending(core: Core): boolean {
  const isHandedOutOnly = core.membershipHandedOut > core.membershipIndex;
  const inEffectTo = isHandedOutOnly ? core.membershipIndex : Math.max(core.log.handedOut, core.membershipIndex);
  return core.pendingMembershipIndex > inEffectTo || !hasCommittedInTerm(core);
}
