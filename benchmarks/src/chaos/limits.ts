/** Bytes that one direction of a proxied connection holds back before it stops reading: about a TCP window. */
export const queuedBytesMax: number = 1024 * 1024;
/** How long a proxy waits for the node behind it to take a connection. */
export const connectWithinMs = 2_000;
