const KiB = 1024;

/** Characters of a secret's path: longer than any in use, and with the mount's own it stays below a state key's bound. */
export const pathLengthMax = 512;
/** Bytes of one version's data as JSON: Vault's usual bound. Twice this and its index fit one transaction. */
export const secretBytesMax: number = 512 * KiB;
/** Objects and lists within each other: as deep as the doors let in. */
export const secretDepthMax = 64;
/** Keys of all objects of one version together: what a configuration file has, and parses within a few milliseconds. */
export const secretKeysMax = 10_000;
/** Bytes of one key of the data. */
export const secretKeyBytesMax = 512;
/** Versions that are kept where neither the mount nor the secret says how many, as in Vault. */
export const versionsKeptDefault = 10;
/** Versions that may be kept: all are listed in one value, which every write rewrites, and apply must prune in one go. */
export const versionsKeptMax = 1000;
/** Versions that one request deletes, restores or destroys. */
export const versionsPerRequestMax: number = versionsKeptMax;
/** Pairs of custom metadata (OpenBao's bound). */
export const customMetadataKeysMax = 64;
/** Bytes of a custom metadata key (OpenBao's bound). */
export const customMetadataKeyBytesMax = 128;
/** Bytes of a custom metadata value (OpenBao's bound). */
export const customMetadataValueBytesMax = 512;
/** Keys of one list. More are refused with a word on paging, since a list that was cut would look like a whole one. */
export const listedMax = 20_000;
/** Keys that one range read returns while a list is made: a folder costs one read, whatever lies below it. */
export const listPageKeys = 256;
