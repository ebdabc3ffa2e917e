const KiB = 1024;
const MiB = 1024 * KiB;

/** What every bound of the pure core is, for one node. The defaults below suit a cluster of up to nine nodes. */
export interface RaftLimits {
  /** Entries of one append message, in bytes of data and `entryOverheadBytes` each. One entry is always sent, whatever its size. */
  readonly appendBytesMax: number;
  /** Append messages with entries that one peer may owe an answer for. */
  readonly inflightMessagesMax: number;
  /** Bytes of entries that one peer may owe an answer for. */
  readonly inflightBytesMax: number;
  /** Data of a leader's entries that are not yet applied; one proposal is always let through when nothing waits. */
  readonly uncommittedBytesMax: number;
  /** Committed entries that one `ready()` hands out, in bytes; one entry is always handed out. */
  readonly committedBytesPerReadyMax: number;
  /** Reads that wait for a quorum; one more is dropped at once. */
  readonly readsWaitingMax: number;
  /** Entries kept in memory once they are durable and handed out, so that peers that are nearly caught up need no disk. */
  readonly tailBytesMax: number;
}

export const defaultRaftLimits: RaftLimits = {
  /** One append must fit twice into a 4 MiB gRPC message. */
  appendBytesMax: 1 * MiB,
  /** Throughput is at most the window over the round trip: 256 messages hide 25 ms at ten thousand messages a second. */
  inflightMessagesMax: 256,
  /** A peer that stops reading must not hold more of the leader's memory than this. */
  inflightBytesMax: 16 * MiB,
  /** Beyond it the disk or the quorum is slower than the clients: they are told to wait instead of filling memory. */
  uncommittedBytesMax: 64 * MiB,
  /** The state machine takes this much in one turn before messages and ticks have theirs. */
  committedBytesPerReadyMax: 4 * MiB,
  /** Reads are a few words each; more waiting than this means that the quorum is gone. */
  readsWaitingMax: 65_536,
  /** A follower that lags for a second at 16 MiB/s is still served from memory. */
  tailBytesMax: 16 * MiB,
};

/** Counted for each entry besides its data, so that empty entries are not free: index, term, type and length on the wire, and the object in memory. */
export const entryOverheadBytes: number = 32;

/** Voters and learners that one change may touch. Nine voters are the most that are of use; learners come one at a time. */
export const membershipStepsMax: number = 32;

/** Addresses and key pins of the nodes that one change touches. */
export const membershipContextBytesMax: number = 64 * KiB;

/** Members in one roster: what a frame and the log hold in one list. */
export const rosterMembersMax: number = 256;

/** Removed nodes that are remembered; of more, the ones removed longest ago are forgotten: they hold no known key then, and are refused as strangers. */
export const tombstonesMax: number = 256;

/** Bytes of a member's name. */
export const memberNameBytesMax: number = 64;

/** Bytes of an address: a host name has at most 253, with room for a scheme and a port. */
export const memberAddressBytesMax: number = 320;

/** A pin is 64 hexadecimal digits. */
export const memberPinBytesMax: number = 64;
