const KiB = 1024;
const MiB = 1024 * KiB;

/** A key within its mount. With namespace and mount id it fits the place that a sealed record is bound to (4 KiB). */
export const keyBytesMax: number = 3 * KiB;

/** A namespace's or a mount's id: random ids are 36 characters. */
export const idCharsMax = 128;

/** One value: no larger than a log entry, so that whatever was recorded can be stored. */
export const valueBytesMax: number = 4 * MiB;

/** Plaintext kept in memory for reads: at 2 KiB a value, 32,000 tokens, roles, policies and secrets. The least recently read go first. */
export const cacheBytesMax: number = 64 * MiB;

/** What a cached value costs beside its bytes: the map's row, the array's head. */
export const cacheRowBytes = 256;

/** Writes not yet in LevelDB. Above it `isBehind` is true, and the caller stops applying until `onCaughtUp`: about two seconds of a busy disk. */
export const pendingBytesMax: number = 64 * MiB;

/** Keys in one answer of `keys`: a listing of 100,000 is some megabytes of JSON, and one more tells whether there are more. */
export const keysPerRangeMax = 100_001;

/** LevelDB holds up to two such buffers in memory; a larger one means fewer table files and a longer recovery. */
export const writeBufferBytes: number = 16 * MiB;

/** LevelDB's cache of blocks, which hold ciphertext. */
export const blockCacheBytes: number = 32 * MiB;

/** Table files of LevelDB: at 2 MiB, its default, ten gigabytes are five thousand files. */
export const tableFileBytes: number = 8 * MiB;

/** Bytes of a snapshot that are read, hashed and written at once: less than a millisecond of the loop. */
export const snapshotChunkBytes: number = 256 * KiB;

/** A snapshot's header, which carries the control record: no larger than a log entry. */
export const snapshotHeaderBytesMax: number = 5 * MiB;

/** Snapshots kept on disk: the newest, and the one that a follower may be reading still. */
export const snapshotsKept = 2;

/** A snapshot on its way in: far above any state that one node should hold; a peer can't fill the disk for ever. */
export const receivedBytesMax: number = 1024 * 1024 * MiB;

/** Log files of LevelDB that recovery may set aside; there are two, hardly ever three. */
export const logFilesSetAsideMax = 8;

/** States of mounts that are remembered as objects; beyond it they are made anew. */
export const mountStatesKept = 4096;

/** Entries whose digest is remembered: a second of the highest rate, so that a node that is a little ahead can be compared with. */
export const digestsKept = 4096;

/** Bytes and records that a scan of the state reads at once: a few milliseconds of the loop to open and hash. */
export const scanChunkBytes: number = 256 * KiB;
export const scanRecordsPerRead = 500;

/** Bytes a second of a scrub: 10 GB in 40 minutes, a small part of what any disk reads. */
export const scrubBytesPerSecond: number = 4 * MiB;
/** The same for a scan that something waits for; still no more than a loop can open and hash beside its work. */
export const urgentBytesPerSecond: number = 32 * MiB;
/** From the end of a pass to the beginning of the next. */
export const scrubEveryMs: number = 6 * 3_600_000;
/** A node that has just started has other work. */
export const scrubFirstMs = 600_000;
/** How often it is looked whether a pass is due. */
export const scrubRetryMs = 2_000;
