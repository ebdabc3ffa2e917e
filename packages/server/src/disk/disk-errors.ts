import { LockstepError } from '@lockstep/contract/errors';
import type { NodeStatus } from '@lockstep/core/port';
import { ballastName } from './ballast.ts';

/** Why writes are refused, what is free where, what is needed, and what to do. */
export function diskFullError({ reports, raft }: Pick<NodeStatus, 'reports' | 'raft'>): LockstepError {
  const full = [...reports].filter(([, report]) => report.disk === 'full' || report.disk === 'exhausted');
  // The leader's alone is enough to refuse; otherwise it is a majority's.
  const leading = full.filter(([node]) => node === raft.leader);
  const named = (leading.length > 0 ? leading : full).map(
    ([node, { freeBytes, stopBytes }]) =>
      `node ${node}${node === raft.leader ? ' (the leader)' : ''} has ${mebibytes(freeBytes)} free and needs ${mebibytes(stopBytes)}`,
  );
  const where =
    named.length === 0 ? 'the disk of the leader is almost full' : `the disk is almost full: ${named.join(', ')}`;
  return new LockstepError(
    'disk-full',
    `${where}; nothing was changed. free space there, or delete the file ${ballastName} in its data directory: writes go on by themselves. reads, deletes and revocations are answered meanwhile`,
  );
}

/** Why a node that takes no part any more answers nothing. */
export function quarantinedError(why: string): LockstepError {
  return new LockstepError(
    'unavailable',
    `this node takes no part in its cluster: its disk has gone back to an earlier state (${why}). ask another node; remove this one from the cluster, and let it join again with an empty data directory`,
  );
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / (1024 * 1024))} MiB`;
}
