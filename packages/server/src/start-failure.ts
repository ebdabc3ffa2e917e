import { LockstepError } from '@lockstep/contract/errors';

/** As sysexits' EX_DATAERR: what is on the disk is damaged. To start the node again would not help, so a supervisor should not. */
const exitDamaged = 65;

/** Why something did not start, for who started it: what is wrong in the world in a line, a fault of the program with its place. */
export function startFailure(error: unknown): { readonly message: string; readonly exitCode: number } {
  if (error instanceof LockstepError)
    return { message: error.message, exitCode: error.code === 'damaged' ? exitDamaged : 1 };
  if (!(error instanceof Error)) return { message: String(error), exitCode: 1 };
  // The system's own refusals (a port that is taken, a folder that can't be written) name the call.
  const isOfTheWorld = 'syscall' in error || error.message.startsWith('No address added');
  return { message: isOfTheWorld ? error.message : (error.stack ?? error.message), exitCode: 1 };
}
