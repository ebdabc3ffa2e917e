import { LockstepError } from '@lockstep/contract/errors';
import type { LogIndex, NodeId } from '@lockstep/contract/ids';
import type { MembersView } from '@lockstep/core/members/members-view';
import type { Consensus, MembershipOutcome, MembershipRequest } from '@lockstep/core/port';
import { pause } from './pause.ts';
import { pendingChangeAskMs, pendingChangeWaitMs } from './limits.ts';
import { refusedByLeader } from './member-errors.ts';

/** What the leader knows of all members. Throws `no-leader` when none answers. */
export async function askMembers(consensus: Consensus): Promise<MembersView> {
  return await new Promise((resolve, reject) => {
    consensus.members((outcome) => {
      if (outcome.kind === 'members') resolve(outcome.view);
      else reject(refusedByLeader(outcome));
    });
  });
}

/**
 * Changes the membership, and resolves with the entry that it is in force by. A change that is made at the same time, as the leader does
 * when it learns of a disk, is waited for. Throws what the leader refuses, with nothing changed, and `outcome-unknown` when its answer is lost.
 */
export async function changeMembers(consensus: Consensus, request: MembershipRequest): Promise<LogIndex> {
  for (const untilMs = performance.now() + pendingChangeWaitMs; ; await pause(pendingChangeAskMs)) {
    const outcome = await changeOnce(consensus, request);
    switch (outcome.kind) {
      case 'changed':
        return outcome.index;
      case 'refused': {
        const isPassing = outcome.reason === 'change-pending' || outcome.reason === 'joint';
        if (isPassing && performance.now() < untilMs) continue;
        throw refusedByLeader(outcome);
      }
      case 'unknown':
        throw new LockstepError(
          'outcome-unknown',
          'the leader was lost before it answered: look at the members before trying again',
        );
      default:
        outcome satisfies never;
    }
  }
}

/** Hands leadership over, to whom it will, and resolves with who leads then. */
export async function handOver(consensus: Consensus, to: NodeId | undefined): Promise<NodeId> {
  return await new Promise((resolve, reject) => {
    consensus.handOver(to, (outcome) => {
      if (outcome.kind === 'handed-over') resolve(outcome.to);
      else if (outcome.kind === 'refused') reject(refusedByLeader(outcome));
      else
        reject(new LockstepError('outcome-unknown', 'the leader was lost before it answered: look at who leads now'));
    });
  });
}

async function changeOnce(consensus: Consensus, request: MembershipRequest): Promise<MembershipOutcome> {
  return await new Promise((resolve) => consensus.changeMembership(request, resolve));
}
