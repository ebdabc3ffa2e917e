/** Deeper data is cut: the doors refuse JSON deeper than this, so nothing that came through them is. */
export const depthMax = 64;
/** Fingerprints of strings that come again and again (an issuer's certificate, a role) are remembered: enough for every mount's. */
export const rememberedMax = 2_000;
/** Only strings up to this long are remembered, so that the memory is bounded by a few megabytes. */
export const rememberedLengthMax = 4_096;
/** Bytes waiting for one file; beyond it the disk has stopped, and requests are refused rather than kept. */
export const waitingBytesMax: number = 64 * 1024 * 1024;
/** One write call takes at most this much, so that a backlog doesn't hold one buffer of all of it. */
export const writeBytesMax: number = 4 * 1024 * 1024;
