/** What the system says of a disk that is full, used up by quota, or failing; a file system that failed is mounted anew read-only. */
const codes: readonly unknown[] = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS'];

/** LevelDB passes on nothing but the words for them (strerror(3) of glibc and of musl), after the file's path; of a table that was cut it says "Invalid argument". */
const wordsOfLevelDb =
  /^IO error: .*: (?:No space left on device|(?:Disk q|Q)uota exceeded|File too large|(?:Input\/output|I\/O) error|Read-only file system|Invalid argument)$/i;

/** Whether it was the disk that failed, wherever in the chain of causes. A lock, a missing file or a permission is not that. */
export function isDiskFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    ('code' in error && codes.includes(error.code)) || wordsOfLevelDb.test(error.message) || isDiskFailure(error.cause)
  );
}
