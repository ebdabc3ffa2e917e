/** How long a change waits for one that is under way, and how often it asks: such a one takes a few round trips. */
export const pendingChangeWaitMs = 2_000;
export const pendingChangeAskMs = 50;

/** Invitations that are neither used nor over: as many as a large cluster has nodes. */
export const invitesMax = 64;

/** Invitations that are kept, those that were used or are over included: what an operator may want to look at. */
export const invitesKept: number = 2 * invitesMax;

/** How long an invitation holds unless the operator says otherwise, and at most: long enough to set a machine up, too short to lie about. */
export const inviteTtlSeconds = 3_600;
export const inviteTtlSecondsMax: number = 7 * 86_400;

/** The secret in a join token: as strong as the keys of the state. */
export const joinSecretBytes = 32;

/** Members that a join token names: any of them that answers will do. */
export const joinAddressesMax = 9;

/** Characters of a join token: nine addresses of 253 characters, in base64. */
export const joinTokenLengthMax = 8_192;

/** Years that the cluster's authority and the nodes' certificates are good for: a cluster that was off for a year still opens, and outlives its machines. */
export const authorityYears = 30;
export const nodeCertificateYears = 20;

/** Certificates begin so much earlier, against clocks that differ. */
export const backdatingMs: number = 3_600_000;

/** Characters of a member's name: a host name. */
export const nodeNameLengthMax = 63;

/** One request of a newcomer to one member. */
export const joinAnswerMs = 15_000;

/** Between two attempts to join, from the least, doubled each time, to the most. */
export const joinAgainMsMin = 200;
export const joinAgainMsMax = 5_000;

/** Bytes of a member's answer: nine members' records and two certificates, many times over. */
export const joinAnswerBytesMax: number = 1024 * 1024;
