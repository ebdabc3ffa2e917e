import { MountId } from '@lockstep/contract/ids';

/** The mounts that every cluster has; their ids are for ever. */
export const systemMount: MountId = MountId('sys');
export const policyMount: MountId = MountId('policy');
export const tokenMount: MountId = MountId('token');
/** The host's own: remembered outcomes, the log's time, faulted mounts. No route leads to it. */
export const hostMount: MountId = MountId('host');
