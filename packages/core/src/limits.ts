const KiB = 1024;
const MiB = 1024 * KiB;

/** One request's facts. A KV value of 512 KiB (Vault's usual bound) twice over, so that its index and audit facts fit beside it. */
export const transactionBytesMax: number = 1 * MiB;

/** Plain transactions in one entry. Sealed it still fits a peer frame (4 MiB) with room for heads, and one fsync of it takes under 20 ms. */
export const entryBytesMax: number = 2 * MiB;

/** Transactions in one entry: apply of one entry stays under about 10 ms, so that no heartbeat waits behind it. */
export const transactionsPerEntryMax = 1024;

/** Transactions that wait here for a leader or for their turn: a few seconds of the highest rate we have measured. */
export const proposalsWaitingMax = 16_384;

/** Bytes of the same. They are plain text in memory, so few. */
export const proposalBytesWaitingMax: number = 32 * MiB;

/** Transactions sent to the leader and not yet answered. As many as may wait: the leader's queue has the same bound. */
export const proposalsForwardedMax = 16_384;

/** Callers that wait for a read index: one each for every request that the doors let in, with room. */
export const readsWaitingMax = 65_536;

/** Rounds of ReadIndex under way from one node. More would send a heartbeat each without confirming sooner than the next round does. */
export const readRoundsMax = 4;

/** Peers' read requests that wait for a new leader's first commit; a peer has at most `readRoundsMax` of them, resent a few times. */
export const peerReadsWaitingMax = 1024;

/** Messages that came in one turn: past this the newest are dropped, as a full network would (Raft repeats what matters). */
export const inboxMessagesMax = 65_536;

/** Ready rounds in one turn of the loop, so that timers and sockets get their share. */
export const readyRoundsMax = 16;

/** Bytes of batches merged into one store write: an fsync of this much stays well under an election timeout on a slow disk. */
export const writeBytesMax: number = 8 * MiB;

/** Bytes of committed entries read back in one piece for a state that catches up after unseal: bounds memory and the length of a turn. */
export const catchUpBytesMax: number = 4 * MiB;

/** Applied entries between two compactions (etcd: 10,000 to 100,000; hashicorp/raft: 8,192). */
export const compactionEntries = 10_000;

/** Applied bytes between two compactions: keeps the log database near this size plus its tail. */
export const compactionBytes: number = 64 * MiB;

/** Entries that stay behind a compaction, so that a follower that was away for some seconds needs no snapshot (etcd: 5,000). */
export const tailEntriesKept = 5_000;

/** Bytes of the same: large entries must not keep gigabytes. */
export const tailBytesKept: number = 32 * MiB;

/** The tail's size is known at every so many entries: 64 keeps the table of a 10,000-entry log under 200 rows. */
export const sizeCheckpointEntries = 64;

/** Leaderless timeouts after which a sealed voter, or one whose disk is full, campaigns all the same: others come first, but someone must lead. */
export const unfitTimeoutsMax = 3;

/** Heartbeats withheld in a row from a peer that is busy with entries: with the default timings one is sent every half second, twice in the shortest election timeout. */
export const heartbeatsWithheldMax = 4;

/** A tick this many intervals late is a process that was paused: it reads its sockets before it judges anybody's silence. */
export const lateTicksMax = 4;

/** Times that one snapshot is offered to a follower before another is taken: its contents may be gone or damaged. */
export const snapshotAttemptsMax = 6;

/** How often a leader asks the voters for their clocks: clocks that are kept drift by far less than a millisecond meanwhile. */
export const clockAskMs = 1_000;

/** A reading whose question and answer took longer tells the time no better than to half of it. */
export const clockRoundTripMsMax = 2_000;

/** A voter that was silent this long has no say in what time it is. */
export const clockReadingMs = 60_000;

/** A leader whose clock is this far from the median of the voters' hands over: something is wrong with its machine. */
export const clockOffMsMax = 60_000;

/** How often the free space is measured. At 100 MB a second, what it says is 100 MB old: less than half of the least mark. */
export const freeSpaceCheckMs = 1_000;

/** A level of the disk's space is left for a better one only when so many times its bound is free. */
export const diskLevelRise = 1.1;

/** The share of the stop mark below which nothing is stored that can wait, so that LevelDB's own work never meets a full disk. */
export const exhaustedShare = 0.25;

/** How often a node tells the others about itself. */
export const reportMs = 1_000;

/** A report older than this says nothing any more: its node is down or cut off. */
export const reportStaleMs = 5_000;

/** How often a leader whose disk is full or hangs tries to hand over: a transfer takes a few round trips. */
export const handOverEveryMs = 2_000;

/** Election timeouts without a stall before a node whose disk has stalled stands for election again. */
export const stallCalmTimeouts = 5;

/** Requests of one node that wait for the leader, and of all nodes that wait at it: they are made by operators, a few at a time. */
export const asksWaitingMax = 64;

/** A learner this many entries behind catches up within a second or two: until then a voter more would commit no faster (hashicorp/raft-autopilot: 250 to 1,000). */
export const promotionLagEntriesMax = 1_000;

/** How often a node whose state is damaged asks for another: one snapshot takes the other node seconds to make. */
export const refetchAskMs = 3_000;

/** Checkpoints of each member that are remembered: some seconds' worth, so that two nodes' are of one entry now and then. */
export const checkpointsKept = 16;

/** How long a node that leaves waits for a member's word that it has left, when the one that it asked is lost: streams are opened again every two seconds. */
export const leavingMs = 5_000;

/** How often a leader's autopilot looks at the members: as often as they tell about themselves (hashicorp: every two seconds). */
export const autopilotEveryMs = 1_000;

/** A leader that has not looked for so long was paused: what it did not see counts against nobody. Less than any dead member's silence. */
export const autopilotGapMsMax = 10_000;

/** How long a step may take until it is proposed (a confirmed read, an audit line): as long as a request gets. */
export const autopilotBeginMs = 30_000;

/** After a step that came to nothing, so that whatever stands against it is not tried at every look. */
export const autopilotRetryMs = 10_000;
