const KiB = 1024;
const MiB = 1024 * KiB;

/** Records under one derived key: above any entry or LevelDB batch, and far below the 2^32 that the four-byte counter could tell apart. */
export const recordsPerBatchMax: number = 2 ** 20;

/** One record's plaintext: twice the largest log entry. */
export const recordBytesMax: number = 8 * MiB;

/** The place (a state key, a log position) that a record is bound to. It is copied into a buffer of this size. */
export const placeBytesMax: number = 4 * KiB;

/** A cluster's id and a record's purpose each have a one-byte length in the additional data; both are short names. */
export const contextBytesMax = 64;

/** Derived keys that an opener remembers: about 300 bytes each; the values of one batch are often read together. */
export const derivedKeysKept = 1024;

/** Random bytes are drawn from the system this many at a time: 170 salts for one call. */
export const randomPoolBytes: number = 4 * KiB;

/** Key versions in one keyring: a rotation every day for eleven years. The keyring travels in one control entry. */
export const keyVersionsMax = 4096;

/** What an outside seal may return for a wrapped root key: KMS answers are below 7 KiB. */
export const wrappedRootKeyBytesMax: number = 16 * KiB;

/** Shares have a one-byte coordinate, and zero is the secret itself. */
export const sharesMax = 255;

/** A share is shorter than this in any accepted encoding; longer text is refused before it is looked at. */
export const shareTextCharsMax = 128;

/** Transactions in one sealed entry: the leader's group commit is bounded far below this. */
export const transactionsPerEntryMax: number = 64 * KiB;

/** A static key file holds 32 bytes; a larger one is not read in whole. */
export const staticKeyBytes = 32;
