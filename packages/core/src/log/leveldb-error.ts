/** LevelDB's word for files that contradict each other or themselves. A full disk, or another process, is not that. */
export function isCorruption(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === 'LEVEL_CORRUPTION') || isCorruption(error.cause);
}

/** LevelDB's own words, lowest in the chain of causes. */
export function innermostMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : innermostMessage(error.cause);
}
