import { LockstepError } from '@lockstep/contract/errors';
import type { NodeId } from '@lockstep/contract/ids';
import { type FoundingMember, foundingMembership, withRoster } from '../members/founding.ts';
import { type ForcedMembership, forcedMembership } from '../members/force-membership.ts';
import { decodeMembershipChange } from '../raft/membership-codec.ts';
import type { Entry } from '../raft/types.ts';
import { defaultLayout, openDatabase, readHead, requireIdentity, withAdvice } from './level-log.ts';
import { recordBytesMax } from './limits.ts';
import { type LogDatabase, readEntries, recoverLog, type RecoveredLog } from './log-recovery.ts';
import { damaged, encodeHardState, encodeMeta, hardStateKey, type LogMeta, metaKey } from './log-records.ts';
import type { StoredLog } from './log-store.ts';
import { Marker } from './marker.ts';
import { RecordLog } from './record-log.ts';
import { scanLevelDb } from './scan-leveldb.ts';

/** What would be, of a log that was checked. */
export interface ForcePlan {
  readonly forced: ForcedMembership;
  readonly stored: StoredLog;
  /** All in the log. */
  readonly controls: readonly Entry[];
}

export interface ForceOptions {
  readonly directory: string;
  readonly clusterId: string;
  readonly node: NodeId;
  /** What the configuration says of the members: it counts where the log was written before memberships said so. */
  readonly founders: readonly FoundingMember[];
  /**
   * Told what would be, while no other process can open the log. What it resolves to becomes the data of the control entry that the log goes
   * on with; undefined changes nothing, and so does what it throws.
   */
  readonly decide: (plan: ForcePlan) => Promise<Uint8Array | undefined>;
}

/**
 * Makes the node whose log lies in this directory the only member of its cluster, in one synced write. For a stopped node of a cluster
 * whose quorum is lost for good. The log is checked as at any start; refused are a log that another process has open, one that is damaged,
 * and what `forcedMembership` refuses.
 */
export async function forceLevelLog(options: ForceOptions): Promise<ForcedMembership> {
  try {
    return await forceChecked(options);
  } catch (error) {
    throw withAdvice(error, options.directory);
  }
}

async function forceChecked({ directory, node, founders, decide, ...of }: ForceOptions): Promise<ForcedMembership> {
  await scanLevelDb(directory, { gapBetweenLogs: 'accept', tables: 'check' });
  const database = await openDatabase(directory);
  let marker: Marker | undefined;
  try {
    marker = await Marker.open(directory);
    const head = await readHead(database);
    if (head === undefined) throw new LockstepError('not-initialized', `directory ${directory} holds no log`);
    requireIdentity(head.meta.identity, { directory, node, ...of });
    if (marker === undefined) throw damaged(`log in ${directory}`, 'its marker file is missing');
    const recovered = await recoverLog(database, { ...head, mark: marker.mark });
    const plan = await planOf(database, { recovered, node, founders });
    const data = await decide(plan);
    if (data !== undefined) await write({ database, marker, meta: head.meta, recovered }, plan.forced, data);
    return plan.forced;
  } finally {
    await marker?.close();
    await database.close();
  }
}

async function planOf(
  database: LogDatabase,
  of: {
    readonly recovered: RecoveredLog;
    readonly node: NodeId;
    readonly founders: readonly FoundingMember[];
  },
): Promise<ForcePlan> {
  const { membership: saved, appliedMembershipIndex: at, snapshot, ...rest } = of.recovered.stored;
  const membership = withRoster(saved, at, foundingMembership({ members: of.founders }));
  const stored = { ...rest, snapshot, appliedMembershipIndex: at, membership };
  const controls: Entry[] = [];
  const changes: Entry[] = [];
  await readEntries(database, snapshot.index, (entry) => {
    if (entry.type === 'control') controls.push({ ...entry, data: Uint8Array.from(entry.data) });
    if (entry.type === 'membership' && entry.index > at) changes.push(entry);
  });
  const pending = changes.map(({ data }) => decodeMembershipChange(data));
  return { forced: forcedMembership(stored, of.node, pending), stored, controls };
}

async function write(
  log: {
    readonly database: LogDatabase;
    readonly marker: Marker;
    readonly meta: LogMeta;
    readonly recovered: RecoveredLog;
  },
  { place, after, hardState }: ForcedMembership,
  data: Uint8Array,
): Promise<void> {
  const { database, marker, recovered } = log;
  const size = { entriesMax: defaultLayout.recordEntriesMax, bytesMax: recordBytesMax };
  const records = new RecordLog({ database, recovered, chain: log.meta.chain, size });
  const meta = { ...log.meta, membership: after, appliedMembershipIndex: place.index };
  const batch = database.batch();
  records.append({ ...place, type: 'control', data });
  records.flush(batch);
  batch.put(metaKey, encodeMeta(meta)).put(hardStateKey, encodeHardState(hardState));
  // One write, so that a crash leaves the cluster that was or the one that is to be.
  await batch.write({ sync: true });
  await marker.write({ term: hardState.term, vote: hardState.vote, lastIndex: place.index });
}
