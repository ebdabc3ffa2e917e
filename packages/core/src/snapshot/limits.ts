/** Pulls of one snapshot in a row that may fail or hang before it is given up; the leader's next offer begins anew. */
export const pullAttemptsMax = 5;

/** Without a byte for so long a pull counts as hung: several round trips of a slow line. */
export const pullIdleMs = 5000;

/** The wait before the next attempt. */
export const pullRetryMs = 500;
