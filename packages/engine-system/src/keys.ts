/** The whole mount table, in one value: a request's mount is found in a table that is parsed once for each change. */
export const mountsKey = 'mounts';
/** A counter: the fact version in force. */
export const factVersionKey = 'fact-version';
