import type { NodeId } from '@lockstep/contract/ids';
import type { AutoSeal } from '@lockstep/contract/seal';
import type { ConsensusNode, DriverStatus } from '@lockstep/core/node';
import type { PullSnapshot, SnapshotSource } from '@lockstep/core/peers/snapshot-transfer';
import type { NodeConfig } from './config.ts';
import type { Host } from './host.ts';
import { faultFields, type Log } from './log.ts';
import type { Machine } from './machine.ts';
import type { Positions } from './positions.ts';
import { RestoreFolder } from './restore/restore-folder.ts';
import { Restorer } from './restore/restore-snapshot.ts';
import { askedFor, type PendingRestore, Restores } from './restore/restores.ts';
import { SnapshotSaver } from './saved/save-snapshot.ts';
import type { SealKeeper } from './seal-keeper.ts';
import type { StateDb } from './state/state-db.ts';
import { requestDeadlineMs } from './limits.ts';

// How a node's snapshots for operators are put together; open-node.ts opens all the rest.

export interface OpenRestores {
  readonly restores: Restores;
  readonly folder: RestoreFolder;
}

export async function openRestores(of: {
  readonly directory: string;
  readonly state: StateDb;
  readonly keeper: SealKeeper;
  readonly log: Log;
  readonly onRestored: (restored: PendingRestore) => void;
  readonly setTimer: (ms: number, run: () => void) => () => void;
  readonly freeBytes: (directory: string) => Promise<number>;
}): Promise<OpenRestores> {
  const { state, keeper, log, onRestored, setTimer } = of;
  const folder = await RestoreFolder.open(of.directory, of.freeBytes);
  const restores = new Restores({
    folder,
    state,
    sealer: () => keeper.barrier.snapshots(),
    onRestored: (restored) => {
      log.info('restored', { index: restored.index, saved: restored.restore.savedId });
      onRestored(restored);
    },
    onFailure: (error) => log.error('restore-failed', faultFields(error)),
    setTimer,
    nowMs: () => performance.now(),
  });
  return { restores, folder };
}

/** What other nodes ask this one for: its state's snapshots, and the files that restores are made from. */
export function snapshotSource(of: {
  readonly machine: Machine;
  readonly restores: Restores;
  readonly log: Log;
}): SnapshotSource {
  const { machine, restores, log } = of;
  return {
    read: (id, offset, bytesMax, done) => {
      const asked = askedFor(id);
      if (asked === undefined) return machine.readSnapshot({ id, offset, bytesMax }, done);
      restores.read(asked, { offset, bytesMax }).then(done, (error: unknown) => {
        log.error('restore-failed', faultFields(error));
        done(undefined);
      });
    },
  };
}

/** The leader first: it ordered what is asked for. */
export function otherMembers(consensus: ConsensusNode): readonly NodeId[] {
  const { id, membership, raft } = consensus.status();
  const others = [...membership.voters, ...membership.learners].filter((node) => node !== id && node !== raft.leader);
  return raft.leader === 0 || raft.leader === id ? others : [raft.leader, ...others];
}

/** Undefined while nobody leads, or nobody said where the leader is. */
function leaderAddressOf({ raft, members }: DriverStatus): string | undefined {
  const address = members.find(({ node }) => node === raft.leader)?.apiAddress;
  return address === '' ? undefined : address;
}

export interface SnapshotParts extends OpenRestores {
  readonly config: NodeConfig;
  readonly state: StateDb;
  readonly machine: Machine;
  readonly positions: Positions;
  readonly keeper: SealKeeper;
  readonly autoSeal: AutoSeal | undefined;
  readonly consensus: ConsensusNode;
  readonly pull: PullSnapshot;
  readonly host: Host;
  readonly wallMs: () => number;
  readonly setTimer: (ms: number, run: () => void) => () => void;
}

/** What answers an operator. */
export function snapshotsForOperators(parts: SnapshotParts): {
  readonly saver: SnapshotSaver;
  readonly restorer: Restorer;
} {
  const { config, consensus, host, machine } = parts;
  const saver = new SnapshotSaver({
    ...parts,
    factVersion: () => host.factVersion,
    logTimeMs: machine.lastTimeMs,
    nodeName: config.node.name,
    clusterId: config.clusterId,
  });
  const restorer = new Restorer({
    ...parts,
    clusterId: config.clusterId,
    leaderAddress: () => leaderAddressOf(consensus.status()),
    logTimeMs: () => host.confirmRead(performance.now() + requestDeadlineMs),
  });
  return { saver, restorer };
}
