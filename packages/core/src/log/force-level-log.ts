import { LockstepError } from '@lockstep/contract/errors';
import type { NodeId } from '@lockstep/contract/ids';
import { type ForcedMembership, forcedMembership } from '../members/force-membership.ts';
import { openDatabase, readHead, requireIdentity, withAdvice } from './level-log.ts';
import { recoverLog } from './log-recovery.ts';
import { damaged, encodeHardState, encodeMeta, hardStateKey, metaKey } from './log-records.ts';
import { Marker } from './marker.ts';
import { scanLevelDb } from './scan-leveldb.ts';

export interface ForceOptions {
  readonly directory: string;
  readonly clusterId: string;
  readonly node: NodeId;
  /** Only tells what would be. */
  readonly isDryRun: boolean;
}

/**
 * Makes the node whose log lies in this directory the only member of its cluster, in one synced write, or only says what that would
 * mean. For a stopped node of a cluster whose quorum is lost for good. The log is checked as at any start; refused are a log that another
 * process has open, one that is damaged, and what `forcedMembership` refuses.
 */
export async function forceLevelLog(options: ForceOptions): Promise<ForcedMembership> {
  try {
    return await forceChecked(options);
  } catch (error) {
    throw withAdvice(error, options.directory);
  }
}

async function forceChecked({ directory, node, isDryRun, ...of }: ForceOptions): Promise<ForcedMembership> {
  await scanLevelDb(directory, { gapBetweenLogs: 'accept', tables: 'check' });
  const database = await openDatabase(directory);
  let marker: Marker | undefined;
  try {
    marker = await Marker.open(directory);
    const head = await readHead(database);
    if (head === undefined) throw new LockstepError('not-initialized', `directory ${directory} holds no log`);
    requireIdentity(head.meta.identity, { directory, node, ...of });
    if (marker === undefined) throw damaged(`log in ${directory}`, 'its marker file is missing');
    const { stored } = await recoverLog(database, { ...head, mark: marker.mark });
    const forced = forcedMembership(stored, node);
    if (isDryRun) return forced;
    // All that is in the log is committed from now on: it would be by the next election, in which this node votes alone.
    const hardState = { ...stored.hardState, commit: forced.lastIndex };
    const meta = { ...head.meta, membership: forced.after, appliedMembershipIndex: forced.lastIndex };
    const batch = database.batch().put(metaKey, encodeMeta(meta)).put(hardStateKey, encodeHardState(hardState));
    await batch.write({ sync: true });
    return forced;
  } finally {
    await marker?.close();
    await database.close();
  }
}
