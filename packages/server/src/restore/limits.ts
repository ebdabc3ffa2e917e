const KiB = 1024;
const MiB = 1024 * KiB;

/** A file on its way in, from an operator or a peer: far above any state that one node should hold. */
export const savedBytesMax: number = 1024 * 1024 * MiB;

/** Free bytes that no restore touches: a node whose disk is full stops. */
export const restoreReserveBytes: number = 256 * MiB;

/** A file is held three times while it is put in place: sealed, opened, and as a database. */
export const restoreCopies = 3;

/** How often the free space is looked at while a file comes in. */
export const spaceCheckBytes: number = 64 * MiB;

/** A quorum that holds the file: a gigabyte over a slow line takes minutes. */
export const spreadDeadlineMs: number = 20 * 60_000;

/** A node that was asked to hold the file and broke off is asked again after this. */
export const receiptRetryMs = 1_000;

/** The state is replaced: checking, copying and syncing some gigabytes. */
export const replaceDeadlineMs: number = 20 * 60_000;

/** How long a node keeps a file that it was asked to hold: until the restore is in place, or will never be. */
export const promiseMs: number = spreadDeadlineMs + replaceDeadlineMs;

/** The wait before a restore that could not be put in place is tried again: nobody has the file just now, or the disk refused. */
export const restoreRetryMs = 1_000;
