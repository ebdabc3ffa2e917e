// Every bound of this engine, with its reason.

/** Names in one certificate. Public CAs stop at 100; the certificate is one log entry, and 256 names of full length stay under 70 KB. */
export const namesMax = 256;
/** RFC 5280 appendix A, ub-common-name, in characters. */
export const commonNameLengthMax = 64;
/** RFC 1035 §2.3.4, without the root's dot. */
export const hostnameLengthMax = 253;
/** RFC 5321 §4.5.3.1.1, the part before the @. */
export const mailboxLengthMax = 64;
/** A URI name: SPIFFE ids are limited to 2048 bytes (SPIFFE-ID §2.3), and no longer one is in use. */
export const uriLengthMax = 2048;
/** The text of another name (a UPN, say). */
export const otherNameLengthMax = 1024;

/** A certificate request in DER: an RSA-8192 key, its signature and a hundred names fit twice. */
export const csrBytesMax = 16_384;
/** The same as PEM: base64 with line ends and the two borders. */
export const csrTextMax = 24_576;
/** A certificate in DER, as given to `revoke`. */
export const certificateBytesMax = 65_536;
export const certificateTextMax = 96_000;
/** Attributes in a request's subject: every known kind fits; linear work is all that a longer one would buy. */
export const subjectAttributesMax = 64;

/** RSA below 2048 bits is broken by NIST SP 800-131A; above 8192 a verification takes milliseconds of the loop. */
export const rsaBitsMin = 2048;
export const rsaBitsMax = 8192;

/** Random bytes in a serial: RFC 5280 §4.1.2.2 allows 20; the top two bits are fixed, so 158 are random. */
export const serialBytes = 20;
/** A serial as callers write it: 20 bytes with colons are 59 characters. */
export const serialTextMax = 128;

/** Roles and issuers are named in paths and state keys. */
export const nameLengthMax = 128;

/** Issuers in one mount: each is tried for a certificate that is shown to be revoked. */
export const issuersMax = 1_000;
/** What one page of a list holds when the caller names no `limit`; a longer list says so in a warning. */
export const listDefault = 100_000;
/** The same where each is read and parsed, at about 40 µs: a page holds the loop for 20 ms. */
export const detailedDefault = 500;
export const detailedMax = 1_000;
/** Certificates in one such page: with names and PEM a reply stays within the 4 MiB that a gRPC client takes. */
export const detailedBytesMax: number = 1024 * 1024;
/** Keys that one range read takes: bounds the memory of a scan. */
export const scanPage = 10_000;

/** Entries in one CRL: 40 MB of DER. Above it the CRL read refuses rather than leave a revoked certificate out. */
export const crlEntriesMax = 1_000_000;
/** CRLs are dated to whole epochs, so that every node makes the same one, and a busy reader costs one signature a minute. */
export const crlEpochSeconds = 60;
/** A CRL must outlive some epochs, or it would be stale when made. */
export const crlExpirySecondsMin: number = 5 * crlEpochSeconds;

/** URLs of each kind in a certificate. */
export const urlsMax = 8;
/** Draws of a private key before giving up: one draw fails with probability 2^-32 at most (half, for P-521, after masking: none in practice). */
export const keyDrawsMax = 128;
/** RFC 5280 §4.1.2.5: no later time can be written. 9999-12-31T23:59:59Z. */
export const lastTimeMs = 253_402_300_799_000;

/** Vault's default: three days. */
export const crlExpirySecondsDefault: number = 72 * 3600;
/** Vault's default backdating, against clocks that differ. */
export const notBeforeSecondsDefault = 30;
