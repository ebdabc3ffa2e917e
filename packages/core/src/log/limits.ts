const KiB = 1024;
const MiB = 1024 * KiB;

/** Bytes of the newest entries handed over at open: most followers are served from memory, and a restart reads no more than this. */
export const tailBytesMax: number = 8 * MiB;

/** Calls that may wait in a store. The driver keeps one write and a few reads under way; more than this is a driver that forgot to wait. */
export const waitingCallsMax = 1024;

/** One entry: what a peer frame can carry, with room for its head. */
export const entryBytesMax: number = 4 * MiB;

/** Entries in one record, and bytes of them: enough that LevelDB's cost for each vanishes, few enough that a read or a cut of one in its middle is a millisecond. */
export const recordEntriesMax = 4096;
export const recordBytesMax: number = MiB;

/** LevelDB holds up to two such buffers in memory; larger means fewer table files written from a log that is compacted soon anyway. */
export const writeBufferBytes: number = 32 * MiB;

/** LevelDB's block cache: reads past the in-memory tail are rare and sequential, so a small one will do. */
export const blockCacheBytes: number = 4 * MiB;

/** LevelDB's table blocks, its own default: what is read at once, and the log is read in order or not at all. */
export const blockBytes = 4096;

/** Records deleted in one batch after a compaction: about 2 ms of LevelDB's thread, so that no write waits long behind it. */
export const deletesPerBatchMax = 512;

/** Space of deleted records that LevelDB may keep before it is told to give it back: four times what a log holds between two compactions. */
export const giveBackBytesMin: number = 256 * MiB;

/** Records read in one call of LevelDB's iterator, so that a fetch neither crosses threads for each of them nor reads far too much. */
export const readChunkRecords = 64;
export const readChunkBytes: number = MiB;

/** How stale the marker file may be while no vote asks for it: a lost tail shorter than this looks like an unsynced one. */
export const markerIntervalMs = 100;

/** LevelDB's own log file: scanned in memory, so a file larger than this (writeBufferBytes plus one batch, several times over) is refused. */
export const scannedFileBytesMax: number = 256 * MiB;

/** One of LevelDB's tables, read at once to be checked: a write buffer makes one of its own size, and no table is made larger later. */
export const scannedTableBytesMax: number = 256 * MiB;

/** Ids in one list of a stored membership: far above any cluster that makes sense, small enough to refuse garbage early. */
export const storedMembersMax = 256;

/** Bytes of a stored snapshot's name. */
export const snapshotIdBytesMax = 256;

/** Bytes of a cluster's id. */
export const clusterIdBytesMax = 64;

/** Records and bytes taken from LevelDB in one step while the whole log is checked at open. */
export const recoveryReadRecords = 1024;
export const recoveryReadBytes: number = MiB;
