/** Longer than an election; short enough for a service that has others to serve. */
export const deadlineMsDefault = 10_000;
/** With the pauses below, three nodes are asked five times each within about 8 s: longer than an election. */
export const attemptsMaxDefault = 16;
/** After all addresses were tried: the first pause, doubled each time up to the last. */
export const pauseMsFirst = 50;
export const pauseMsLast = 1_000;
/** How long to wait for a connection before the next address is tried. */
export const connectMsMax = 2_000;
/** The least time that one try gets, if that much is left: an answer needs a quorum's fsync. */
export const attemptMsMin = 1_000;
/** A reply: a CRL may have megabytes; beyond this something is wrong. */
export const replyBytesMax: number = 64 * 1024 * 1024;
/** Connections of an HTTP client to one node. */
export const socketsMax = 256;
