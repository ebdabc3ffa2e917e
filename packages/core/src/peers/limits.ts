const KiB = 1024;
const MiB = 1024 * KiB;

/** One frame on a stream, and so one gRPC message: two of Raft's largest appends, since a turn may merge several. */
export const frameBytesMax: number = 8 * MiB;

/** Memory that is kept for encoding frames. What a turn sends under full load fits; a larger frame is rare, and gets its own. */
export const frameScratchBytesMax: number = 1 * MiB;

/** Messages in one frame: a turn answers each peer's few messages; a thousand proposals would already have been batched. */
export const frameMessagesMax = 4096;

/** Entries in one append: as many empty ones as Raft counts for one of its largest appends (32 bytes each), twice over. */
export const appendEntriesMax = 65_536;

/** Transactions in one `propose`: what a follower can gather in one turn under full load, many times over. */
export const proposeTransactionsMax = 16_384;

/** Ids in one list of a membership: far above any cluster that makes sense, small enough to refuse garbage early. */
export const frameMembersMax = 256;

/** Bytes of a snapshot's name. */
export const frameSnapshotIdBytesMax = 256;

/** Bytes of the words in which a leader refuses what it was asked for. */
export const refusalTextBytesMax = 512;

/** Bytes of a cluster's id. */
export const frameClusterIdBytesMax = 64;

/**
 * An append's entry data is copied out of its frame when it fills less than 1/4 of the memory it would keep alive: entries
 * live long in the tail window, and a small one must not pin a large frame.
 */
export const pinnedShareMin = 0.25;

/** The oldest and newest version of the peer protocol that this build speaks. */
export const protocolVersionMin = 1;
export const protocolVersionMax = 2;

/** Bytes of one snapshot chunk: large enough that the call's cost vanishes, small enough not to stall an event loop. */
export const snapshotChunkBytesMax: number = 256 * KiB;

/** Queued bytes for one peer above which new entries for it are dropped: Raft sends them again, a queue only makes them old. */
export const appendQueueBytesMax: number = 16 * MiB;

/** Queued bytes for one peer above which its stream is broken as stalled: all that is not an append must not be dropped unnoticed. */
export const peerQueueBytesMax: number = 32 * MiB;

/** What a peer sends to a server is a hello or a snapshot request; everything large flows the other way. */
export const requestBytesMax = 1024;

/** Streams on one connection: the messages', and snapshots that are pulled, with room for ones not yet closed. */
export const connectionStreamsMax = 8;

/** Megabytes that one HTTP/2 session may hold on the server (grpc-js sets no limit by default): its queue twice over. */
export const sessionMemoryMegabytesMax = 64;

/** Connections on the peer port, handshakes included: two for each other node of a large cluster, many times over. */
export const peerConnectionsMax = 256;

/** A TLS handshake or a hello that takes longer is given up: half of what an election takes. */
export const handshakeTimeoutMs = 3000;

/** From the end of a removed node's streams to the end of its connections: its last answer must still get through. */
export const goodbyeMs = 1000;

/** The client's HTTP/2 window, since a server's is fixed at 64 KiB: frames flow from server to client so that this one counts. */
export const flowControlWindowBytes: number = 8 * MiB;

/** A ping each so often on each connection, and how long its answer may take: a dead peer's stream breaks within one election or two. */
export const keepaliveTimeMs = 2000;
export const keepaliveTimeoutMs = 2000;

/** The wait before a stream is opened again: from the least, doubled each time, to the most. Each is shortened by up to half at random. */
export const reconnectMsMin = 50;
export const reconnectMsMax = 2000;

/** Refusals logged in one second: whoever reaches the port can cause them. */
export const refusalsLoggedPerSecondMax = 10;

/** Bytes of the digest of a state: a 256-bit hash and the version of its key, twice over. */
export const reportDigestBytesMax = 80;
