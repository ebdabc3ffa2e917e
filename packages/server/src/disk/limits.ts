const MiB = 1024 * 1024;

/** Bytes free below which a node warns: a day or two to react, on a busy cluster. */
export const warnFreeBytes: number = 1024 * MiB;

/**
 * Bytes free below which clients' writes are refused: LevelDB's two write buffers of the log and of the state (96 MiB), a merge of
 * tables beside them, and a second of the highest write rate.
 */
export const stopFreeBytes: number = 256 * MiB;

/** The least that may be configured instead: at a quarter of it nothing is stored any more, and LevelDB's own work must still fit. */
export const stopFreeBytesMin: number = 64 * MiB;

/** A file that can be deleted when all else fails: room for LevelDB to open, and for the deletes that make more. */
export const ballastBytes: number = 64 * MiB;

/** The most that may be configured. */
export const ballastBytesMax: number = 64 * 1024 * MiB;

/** Bytes of the ballast that are written at once, and then fsynced, so that the log's own fsync never waits for more. */
export const ballastChunkBytes: number = 1 * MiB;

/** So much more than the ballast must be free above the warning mark before it is made (again): it must not be what fills the disk. */
export const ballastRoom = 2;

/** Footprints of other nodes are written so often, when they have changed: a lost one only makes a rolled-back disk harder to notice. */
export const footprintsEveryMs = 5_000;

/** Bytes of the file that they are in: far more than any cluster's. */
export const footprintsBytesMax: number = 1 * MiB;
