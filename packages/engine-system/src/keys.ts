/** The whole mount table, in one value: a request's mount is found in a table that is parsed once for each change. */
export const mountsKey = 'mounts';
/** A counter: the fact version in force. */
export const factVersionKey = 'fact-version';
export const disabledPrefix = 'disabled/';

/** A mount whose contents the sweeper has still to remove; empty value. */
export function disabledKey(id: string): string {
  return `${disabledPrefix}${id}`;
}
