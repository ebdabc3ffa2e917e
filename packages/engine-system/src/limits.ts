/** The mount table is one value of the state, read with every request and rewritten with every change: a thousand mounts are 300 KB. */
export const mountsMax = 1_000;
/** Longer than any path in use; together with a secret's own path it stays below a state key's bound. */
export const mountPathLengthMax = 256;
/** For people to read. */
export const descriptionLengthMax = 1_024;
/** Vault's default and largest lease: 768 hours. */
export const defaultTtlSeconds: number = 768 * 3_600;
