import { LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import { requireMountPath } from './mount-path.ts';
import { mountReply, tokenMountRecord, tuneReply } from './mount-replies.ts';
import { tunePath } from './tune-path.ts';

/** An auth method, or its settings. There is only `token` so far. Terraform takes the words of the refusal, with 400, for "not there". */
export function authMountReply(at: string): JsonObject {
  const tuned = tunePath(at);
  const wanted = requireMountPath(tuned ?? at);
  if (wanted !== tokenMountRecord.path) throw new LockstepError('invalid-input', `No auth engine at ${wanted}`);
  return tuned === undefined ? mountReply(tokenMountRecord) : tuneReply(tokenMountRecord);
}

export function refuseAuthChange(): never {
  throw new LockstepError(
    'failed-precondition',
    'auth methods besides token are not offered yet, and token stays as it is',
  );
}
