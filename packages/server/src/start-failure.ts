import { LockstepError } from '@lockstep/contract/errors';
import { isDiskFailure } from '@lockstep/core/log/disk-failure';
import { exitDamaged, exitDiskFailed } from './exit-codes.ts';

const whatToDo =
  'the disk is full or fails: see that the data directory and the files of the audit can be written, and start the node again';

/** Why something did not start, for who started it: what is wrong in the world in a line, a fault of the program with its place. */
export function startFailure(error: unknown): { readonly message: string; readonly exitCode: number } {
  if (!(error instanceof Error)) return { message: String(error), exitCode: 1 };
  // Before anything else: LevelDB writes when it opens, and an error of any kind may have a full disk for its cause.
  if (isDiskFailure(error)) return { message: `${error.message}; ${whatToDo}`, exitCode: exitDiskFailed };
  if (error instanceof LockstepError)
    return { message: error.message, exitCode: error.code === 'damaged' ? exitDamaged : 1 };
  // The system's own refusals (a port that is taken, a folder that can't be written) name the call.
  const isOfTheWorld = 'syscall' in error || error.message.startsWith('No address added');
  return { message: isOfTheWorld ? error.message : (error.stack ?? error.message), exitCode: 1 };
}
