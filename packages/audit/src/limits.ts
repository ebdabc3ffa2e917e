const KiB = 1024;
const MiB = 1024 * KiB;

/** How deep audited data may be nested: as deep as the doors take JSON (64), and a few levels that an engine adds. */
export const dataDepthMax = 72;

/** Values that one line fingerprints one by one, about 2 µs each. What comes after them is fingerprinted as a whole. */
export const valuesPerLineMax = 2000;

/** Characters of one audit line: a request of 1 MiB whose names all have to be escaped is below it. */
export const lineCharsMax: number = 8 * MiB;

/** Fingerprints remembered, and at most twice as many: issuer certificates, accessors, field values that every request repeats. */
export const fingerprintsKept = 512;

/** A longer value is not remembered: two certificates of a chain are below it. */
export const rememberedValueCharsMax: number = 8 * KiB;

/** Fingerprints of which it is remembered that they were seen once. They are no secrets, 80 bytes each; at most twice as many. */
export const fingerprintsSeenOnceKept = 4096;

/** Lines that wait for a sink, two for each request that a node takes at once. Beyond it requests are refused. */
export const waitingLinesMax = 40_000;

/** Characters that wait for one file: beyond it the disk has stopped, and requests are refused rather than kept. */
export const waitingCharsMax: number = 64 * MiB;

/** A sink that hasn't taken a line after this long counts as failed for that line: clients wait up to 30 s. */
export const sinkDeadlineMs = 5_000;

/** Characters of lines that one write call takes together, so that a backlog isn't copied into one buffer. */
export const writeCharsMax: number = 4 * MiB;

/** Problems that a verification lists; it counts the rest. */
export const problemsListedMax = 100;

/** How often a sink looks whether its file was removed: until then lines go where nobody can read them. */
export const removalCheckMs = 1_000;
