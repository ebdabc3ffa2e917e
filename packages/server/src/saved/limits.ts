const KiB = 1024;

/** What a saved snapshot says of itself: names, numbers, and a seal configuration, whose keyring of 4,096 versions has 180 KiB. */
export const savedHeadBytesMax: number = 512 * KiB;

/** Plaintext in one sealed chunk: a millisecond of the loop to seal or open. */
export const savedChunkBytes: number = 256 * KiB;

/** Snapshots that are saved from one node at once: each reads the disk as fast as it can. */
export const savesAtOnceMax = 2;

/** How often a save looks whether a snapshot that is being taken for a follower is done, */
export const takeRetryMs = 250;
/** and for how long. */
export const takeDeadlineMs = 60_000;
