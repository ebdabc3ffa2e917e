/** The mount table is one value of the state, read with every request and rewritten with every change: a thousand mounts are 300 KB. */
export const mountsMax = 1_000;
/** Longer than any path in use; together with a secret's own path it stays below a state key's bound. */
export const mountPathLengthMax = 256;
/** For people to read. */
export const descriptionLengthMax = 1_024;
/** Vault's default and largest lease: 768 hours. */
export const defaultTtlSeconds: number = 768 * 3_600;
/** Members tell about themselves each second, and an election takes two: below a second nobody would be healthy for long. */
export const autopilotContactSecondsMin = 1;
/** Vault's least: a restart, or a host that starts anew, must not cost a member its place. */
export const autopilotDeadSecondsMin = 60;
/** Vault's least where the dead are removed: of three voters, two are a quorum still when one more is lost. */
export const autopilotQuorumMinForCleanup = 3;
/** As many as there may be members (core's rosterMembersMax). */
export const autopilotQuorumMax = 256;
