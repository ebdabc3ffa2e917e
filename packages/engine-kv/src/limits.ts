/** Longer than any secret's path in use; with the mount's prefix it stays below a state key's bound. */
export const pathLengthMax = 512;
/** One version of a secret, as JSON. A transaction with it fits an entry many times over. */
export const secretBytesMax: number = 512 * 1024;
/** Versions kept when nothing else is said, as in Vault. */
export const versionsKeptDefault = 10;
/** Versions that may be kept: they are listed in one value, and removing a secret names each. */
export const versionsKeptMax = 100;
/** Keys in one answer of a list. */
export const listedMax = 10_000;
