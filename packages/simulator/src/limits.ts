/** Bytes of one chunk of a simulated snapshot: small, so that a snapshot is several and a pull can break in its middle. */
export const snapshotChunkBytes = 200;

/** Snapshots that a node keeps: the one that is being pulled and the one that was taken meanwhile. */
export const snapshotsKept = 2;

/** Events of one run: a hundred times what a minute needs. More is a cluster that spins. */
export const eventsMax = 20_000_000;

/** Simulated seconds without a fault that a cluster may need, after all was healed, to agree on everything. */
export const convergeSeconds = 120;

/** Raft must have a leader within so many election timeouts of the heal. */
export const leaderTimeoutsMax = 20;

/** Writes and reads that must succeed on the healed cluster. */
export const healedOperations = 10;

/** A client that hears nothing for so long stops waiting; it does not learn the outcome. */
export const clientTimeoutMs = 1_000;

/** States that an operator has saved and may restore: old ones and new ones. */
export const savedStatesMax = 3;

/** How often a client repeats a write whose outcome it does not know. */
export const retriesMax = 8;

/** A mutant must be caught within so many seeds. */
export const mutantSeedsMax = 500;

/** Of the thirty mistakes that are listed so many must be noticed. */
export const mutantScoreMin = 28;

/** Simulated seconds with faults for each seed of a mutant: most show in the first few, and a seed that does not is better followed by another. */
export const mutantSeconds = 20;

/** The time between two lines of progress. */
export const progressMs = 5_000;

/** The largest seed that may be given. */
export const seedMax: number = 2 ** 32;

/** Fresh seeds are below this: short enough to type. */
export const freshSeedMax = 1_000_000_000;

/** Runs that shrinking one failure may take: each is as long as the failing one, or shorter. */
export const minimiseRunsMax = 300;

/** The last lines of a run's trace that are shown. */
export const traceLinesShown = 60;

/** Steps of the search for an order that explains one key's history. One that is in order takes about one for each operation. */
export const linearizabilityStepsMax = 1_000_000;

/** Nodes that one run ever has, those that were removed included: enough to replace a cluster of five. */
export const nodesMax = 12;
