const KiB = 1024;
const MiB = 1024 * KiB;

/** One frame on a stream, and so one gRPC message: two of Raft's largest appends, since a turn may merge several. */
export const frameBytesMax: number = 8 * MiB;

/** Messages in one frame: a turn answers each peer's few messages; a thousand proposals would already have been batched. */
export const frameMessagesMax = 4096;

/** Entries in one append. Each holds many transactions, so that more than this in one frame is a mistake. */
export const appendEntriesMax = 16_384;

/** Transactions in one `propose`: what a follower can gather in one turn under full load, many times over. */
export const proposeTransactionsMax = 16_384;

/** Ids in one list of a membership: far above any cluster that makes sense, small enough to refuse garbage early. */
export const frameMembersMax = 256;

/** Bytes of a snapshot's name. */
export const frameSnapshotIdBytesMax = 256;

/** Bytes of a cluster's id. */
export const frameClusterIdBytesMax = 64;

/**
 * An append's entry data is copied out of its frame when it fills less than 1/4 of the memory it would keep alive: entries
 * live long in the tail window, and a small one must not pin a large frame.
 */
export const pinnedShareMin = 0.25;

/** The oldest and newest version of the peer protocol that this build speaks. */
export const protocolVersionMin = 1;
export const protocolVersionMax = 1;

/** Bytes of one snapshot chunk: large enough that the call's cost vanishes, small enough not to stall an event loop. */
export const snapshotChunkBytesMax: number = 256 * KiB;
