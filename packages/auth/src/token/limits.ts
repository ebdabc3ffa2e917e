/** Random bytes of a token: 192 bits, as many as Vault's, can't be guessed. */
export const tokenBytes = 24;
/** Random bytes of an accessor: names a token without giving it, so it must not be guessed either. */
export const accessorBytes = 18;
/** Bytes of the secret salt: the key of HMAC-SHA256, as long as its output. */
export const saltBytes = 32;
/** Characters of a token that is presented or chosen by root: ours have 36; what is longer is no token. */
export const tokenLengthMax = 256;
/** Ancestors that a token may have. Each request looks at every one of them, so a longer chain would cost each request. */
export const ancestorsMax = 16;
/** Policies of one token: each request reads and expects every one of them. */
export const policiesPerTokenMax = 64;
/** Characters of a policy's name, as the policies' engine takes them. */
export const policyNameLengthMax = 128;
/** Metadata of a token travels in every audit line: as many as OpenBao takes for custom metadata. */
export const metaKeysMax = 64;
/** Characters of a metadata key. */
export const metaKeyLengthMax = 128;
/** Characters of a metadata value. */
export const metaValueLengthMax = 512;
/** Characters of a display name: it stands in every audit line. */
export const displayNameLengthMax = 128;
/** Uses that may be counted: 2^31-1, as in Vault. */
export const usesMax: number = 2 ** 31 - 1;
/** Accessors in one list. More are refused with a word on paging, since a cut list would look like a whole one. */
export const listedAccessorsMax = 100_000;
/** Keys that one range read returns while a list is made. */
export const listPageKeys = 1000;
