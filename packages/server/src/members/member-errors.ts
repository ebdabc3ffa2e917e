import { type ErrorCode, LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import type { AskRefusal } from '@lockstep/core/peers/leader-asks';

/** A leader's refusal, as the caller sees it: nothing was changed, and `reason` says which rule it was. */
export function refusedByLeader(
  refusal: { readonly reason: AskRefusal; readonly text: string },
  more: JsonObject = {},
): LockstepError {
  const { reason, text } = refusal;
  return new LockstepError(codeOf(reason), text, { replyBody: { reason, ...more } });
}

function codeOf(reason: AskRefusal): ErrorCode {
  switch (reason) {
    case 'no-leader':
    case 'not-ready':
    case 'transferring':
      return 'no-leader';
    case 'busy':
      return 'rate-limited';
    case 'too-large':
    case 'disk-full':
      return reason;
    case 'transfer-failed':
      return 'unavailable';
    case 'not-member':
      return 'not-found';
    case 'invalid':
      return 'invalid-input';
    case 'membership-moved':
    case 'change-pending':
    case 'joint':
    case 'quorum-lost':
    case 'not-caught-up':
    case 'voters-min':
    case 'last-voter':
    case 'removed':
    case 'no-change':
    case 'no-target':
      return 'failed-precondition';
    default:
      return reason satisfies never;
  }
}
