/** The whole mount table, in one value: a request's mount is found in a table that is parsed once for each change. */
export const mountsKey = 'mounts';
/** A counter: the fact version in force. */
export const factVersionKey = 'fact-version';
/** Each time that the cluster went on by force; control entries bring it. */
export const recoveriesKey = 'recoveries';
export const disabledPrefix = 'disabled/';

/** The cluster's own certificate authority. */
export const authorityKey = 'cluster/authority';
/** Autopilot's settings; its defaults where it is not there. */
export const autopilotKey = 'cluster/autopilot';
export const invitePrefix = 'cluster/invite/';
export const intentPrefix = 'cluster/intent/';

/** An invitation, used or not. */
export function inviteKey(id: string): string {
  return `${invitePrefix}${id}`;
}

/** Whether a member is to vote. */
export function intentKey(node: number): string {
  return `${intentPrefix}${node}`;
}

/** A mount whose contents the sweeper has still to remove; empty value. */
export function disabledKey(id: string): string {
  return `${disabledPrefix}${id}`;
}
