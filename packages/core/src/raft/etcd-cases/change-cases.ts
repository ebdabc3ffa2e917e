import { LogIndex, type NodeId } from '@lockstep/contract/ids';
import { changeAtOnce, enterJoint, leaveJoint, type MembershipOutcome } from '../membership.ts';
import { type Progress, progressOf } from '../progress.ts';
import type { Membership } from '../types.ts';
import { flagOf, requireKnown, unreadable } from './arguments.ts';
import { stepsIn } from './interpret.ts';
import { membershipText } from './observation.ts';
import { lineDifference } from './line-difference.ts';
import type { Case } from './parse.ts';

/** What a file of membership changes has made so far. */
export interface ChangeState {
  membership: Membership;
  progress: Map<NodeId, Progress>;
  /** etcd's harness counts every command, refused or not, as one more entry of the log. */
  lastIndex: number;
}

export function newChangeState(): ChangeState {
  const membership = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  return { membership, progress: new Map(), lastIndex: 0 };
}

/** Makes a change, and says how its outcome is another than the file's. A refusal's wording is not compared. */
export function changeDifference(directive: Case, state: ChangeState): string | undefined {
  const outcome = changed(directive, state.membership);
  const { expected } = directive;
  const next = LogIndex(Math.max(state.lastIndex, 1));
  state.lastIndex += 1;
  const isRefusalExpected = !(expected[0] ?? '').startsWith('voters=');
  if (outcome.kind === 'refused') return isRefusalExpected ? undefined : `it is refused: ${outcome.rule}`;
  state.membership = outcome.membership;
  state.progress = progressOf(outcome.membership, {
    known: state.progress,
    next,
    max: { messages: 10, bytes: 1000 },
  });
  const shown = changeLines(state);
  return lineDifference(shown, expected);
}

function changed({ command, args, input }: Case, membership: Membership): MembershipOutcome {
  requireKnown(args, command === 'enter-joint' ? ['autoleave'] : []);
  switch (command) {
    case 'simple':
      return changeAtOnce(membership, stepsIn(input));
    case 'enter-joint':
      return enterJoint(membership, stepsIn(input), flagOf(args, 'autoleave'));
    case 'leave-joint':
      if (input.length > 0) throw unreadable('a joint configuration is left without steps');
      return leaveJoint(membership);
    default:
      throw unreadable('the command is not known');
  }
}

function changeLines({ membership, progress }: ChangeState): readonly string[] {
  const peers = [...progress.values()].map(
    (peer) => `${peer.node}: StateProbe match=${peer.match} next=${peer.next}${peer.isLearner ? ' learner' : ''}`,
  );
  return [membershipText(membership), ...peers];
}
