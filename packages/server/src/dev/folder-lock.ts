import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LockstepError } from '@lockstep/contract/errors';

/**
 * Takes a development cluster's folder for this process, until the returned function is called. Refuses with `failed-precondition`
 * while another process that runs has it: its nodes would answer in the place of ours, which can't open their files. What a process
 * that is gone has left behind counts for nothing.
 */
export function lockFolder(directory: string): () => void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, 'dev.lock');
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx', mode: 0o600 });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw error;
    }
    const holder = Number(readFileSync(file, 'utf8'));
    if (isRunning(holder))
      throw new LockstepError(
        'failed-precondition',
        `${directory} is in use by process ${holder}; stop that first, or choose another --dir`,
      );
    rmSync(file, { force: true });
  }
}

function isRunning(pid: number): boolean {
  // Zero would ask for this process's group.
  if (!Number.isSafeInteger(pid) || pid < 1) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It runs, as another user.
    return isErrno(error, 'EPERM');
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
