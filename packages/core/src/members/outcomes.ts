import { LogIndex, Term } from '@lockstep/contract/ids';
import type { AskOutcome } from '../leader-calls.ts';
import type { AskRefusal } from '../peers/leader-asks.ts';
import type { RefusedReason } from '../peers/peers.ts';
import type { AutopilotOutcome, HandOverOutcome, MembersOutcome, MembershipOutcome, ProposeOutcome } from '../port.ts';

/* What the leader answered, as each caller wants it. An answer of another kind is a leader that does not do what it was asked. */

export function changeOutcome(answer: AskOutcome): MembershipOutcome {
  if (answer.kind === 'refused' || answer.kind === 'unknown') return answer;
  return answer.kind === 'changed' ? { kind: 'changed', index: LogIndex(answer.index) } : { kind: 'unknown' };
}

export function handOverOutcome(answer: AskOutcome): HandOverOutcome {
  if (answer.kind === 'refused' || answer.kind === 'unknown') return answer;
  return answer.kind === 'handed-over' ? { kind: 'handed-over', to: answer.to } : { kind: 'unknown' };
}

export function membersOutcome(answer: AskOutcome): MembersOutcome {
  if (answer.kind === 'members' || answer.kind === 'refused') return answer;
  return { kind: 'refused', reason: 'no-leader', text: 'the leader was lost before it answered' };
}

export function autopilotOutcome(answer: AskOutcome): AutopilotOutcome {
  if (answer.kind === 'autopilot' || answer.kind === 'refused') return answer;
  return { kind: 'refused', reason: 'no-leader', text: 'the leader was lost before it answered' };
}

export function controlOutcome(answer: AskOutcome): ProposeOutcome {
  switch (answer.kind) {
    case 'appended':
      return { kind: 'appended', index: LogIndex(answer.index), term: Term(answer.term), ordinal: 0 };
    case 'refused':
      return { kind: 'refused', reason: writeRefusal(answer.reason) };
    default:
      return { kind: 'unknown' };
  }
}

function writeRefusal(reason: AskRefusal): RefusedReason {
  return reason === 'busy' || reason === 'too-large' || reason === 'disk-full' ? reason : 'no-leader';
}
