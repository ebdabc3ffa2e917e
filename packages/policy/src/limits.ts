/** Bytes of one policy's text: a few hundred rules, and small enough to parse in about a millisecond. */
export const policyBytesMax: number = 64 * 1024;
/** Blocks and lists within each other. A policy needs three; deeper text is an attempt on the parser's stack. */
export const nestingMax = 16;
/** Characters of a rule's path: as long as the longest request path that the doors let in. */
export const rulePathLengthMax = 4096;
/** Characters of a policy's name: fits a path segment, a certificate's subject and a log line. */
export const policyNameLengthMax = 128;
/** Policies of one namespace: each is at most 64 KiB of state, and a list of their names must fit one reply. */
export const policiesMax = 10_000;
/** Keys that one range read returns while a list is made: bounds the memory of a step, not of the list. */
export const listPageKeys = 1000;
/** Characters of the caller's own text that an error repeats: enough to find the place, too few to flood a log. */
export const quotedLengthMax = 40;
