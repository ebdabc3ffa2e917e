import { rm } from 'node:fs/promises';
import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex } from '@lockstep/contract/ids';
import type { AutoSeal } from '@lockstep/contract/seal';
import type { ConsensusNode } from '@lockstep/core/node';
import type { PullSnapshot } from '@lockstep/core/peers/snapshot-transfer';
import { unwrapWithSeal } from '@lockstep/seal/root-key';
import { decodeSealConfiguration, type SealConfiguration, shamirKind } from '@lockstep/seal/seal-configuration';
import { encodeControlEntry } from '../control-entry.ts';
import type { Positions } from '../positions.ts';
import { openSaved } from '../saved/open-saved.ts';
import type { SavedSnapshot } from '../saved/saved-file.ts';
import type { SealKeeper } from '../seal-keeper.ts';
import type { StateDb } from '../state/state-db.ts';
import { factVersionKnown } from '../version.ts';
import { waitUntil } from '../wait.ts';
import { replaceDeadlineMs, restoreCopies, spreadDeadlineMs } from './limits.ts';
import type { RestoreFolder } from './restore-folder.ts';
import type { Restores } from './restores.ts';
import { spreadToQuorum } from './spread.ts';

export interface RestorerParts {
  readonly clusterId: string;
  readonly state: StateDb;
  readonly keeper: SealKeeper;
  readonly autoSeal: AutoSeal | undefined;
  readonly consensus: ConsensusNode;
  readonly positions: Positions;
  readonly folder: RestoreFolder;
  readonly restores: Restores;
  readonly pull: PullSnapshot;
  readonly setTimer: (ms: number, run: () => void) => () => void;
  /** Where a leader takes requests; undefined while there is none. */
  readonly leaderAddress: () => string | undefined;
  /** The leader's log time, confirmed by a quorum. */
  readonly logTimeMs: () => Promise<number>;
}

export interface RestoreAsked {
  readonly data: AsyncIterable<Uint8Array>;
  /** Take a file that this cluster's keys don't open: another cluster's, or one of before such a restore. */
  readonly force: boolean;
  /** The caller went away. Until the restore is ordered, nothing happens then. */
  readonly signal: AbortSignal;
}

export interface RestoreDone {
  /** Where in the log the state was replaced. */
  readonly index: LogIndex;
  readonly saved: SavedSnapshot;
  /** The nodes have to be unsealed with the file's keys. */
  readonly isSealed: boolean;
}

/** The leader's side of a restore: checks the file, brings it to a quorum, orders it, and waits until it is in place here. */
export class Restorer {
  readonly #parts: RestorerParts;
  #isUnderWay = false;

  constructor(parts: RestorerParts) {
    this.#parts = parts;
  }

  /** Refuses what can't be restored, and then nothing is changed anywhere; throws `outcome-unknown` where it may or may not happen. */
  async restore(asked: RestoreAsked): Promise<RestoreDone> {
    this.#requireReady();
    if (this.#isUnderWay) throw new LockstepError('failed-precondition', 'another restore is under way on this node');
    this.#isUnderWay = true;
    try {
      return await this.#restore(asked);
    } finally {
      this.#isUnderWay = false;
    }
  }

  async #restore({ data, force, signal }: RestoreAsked): Promise<RestoreDone> {
    const { folder, clusterId } = this.#parts;
    const { id, saved } = await folder.write(data, (head) => admit(head, { clusterId, force }));
    const seal = await this.#prepare(saved, { id, force, signal }).catch(async (error: unknown) => {
      if (this.#parts.state.restored?.savedId !== id) await folder.remove(id);
      throw error;
    });
    const index = await this.#order({ id, saved, seal });
    return { index, saved, isSealed: seal !== undefined };
  }

  /** All that can go wrong before it is ordered. Answers the seal that comes into force with it, if another does. */
  async #prepare(
    saved: SavedSnapshot,
    of: { readonly id: string } & Pick<RestoreAsked, 'force' | 'signal'>,
  ): Promise<SealConfiguration | undefined> {
    await this.#parts.folder.requireSpace(restoreCopies * saved.bytes);
    const seal = of.force ? await this.#foreignSeal(saved) : undefined;
    if (seal === undefined) await this.#requireOpens(of.id);
    await this.#spread(of.id, of.signal);
    this.#requireReady();
    return seal;
  }

  /** Only the leader orders, and only while nothing else is being replaced. */
  #requireReady(): void {
    const { consensus, keeper, restores, leaderAddress } = this.#parts;
    const { raft, membership } = consensus.status();
    if (raft.role !== 'leader') {
      const address = leaderAddress();
      throw new LockstepError(
        'no-leader',
        address === undefined
          ? 'the cluster has no leader at the moment; nothing was changed, try again shortly'
          : `this node is not the leader; send the restore to ${address}`,
      );
    }
    if (keeper.isSealed) throw new LockstepError('sealed', 'Vault is sealed');
    if (restores.pending !== undefined)
      throw new LockstepError('failed-precondition', 'a restore is being put in place; wait for it');
    if (membership.votersOutgoing.length > 0 || raft.isMembershipPending)
      throw new LockstepError(
        'failed-precondition',
        "the cluster's membership is being changed; nothing was restored, try again when that is done",
      );
  }

  /** The seal that comes into force with a file that this cluster's keys needn't open. */
  async #foreignSeal(saved: SavedSnapshot): Promise<SealConfiguration> {
    const { clusterId, keeper, autoSeal } = this.#parts;
    const found = decodeSealConfiguration(saved.seal);
    const version = Math.max(found.version, keeper.configurationVersion) + 1;
    const seal = { ...found, version, restoredInto: clusterId };
    if (found.kind === shamirKind) return seal;
    // Otherwise no node could ever be unsealed again.
    try {
      if (autoSeal === undefined) throw new LockstepError('failed-precondition', 'this node has no such seal');
      (await unwrapWithSeal(seal, autoSeal)).wipe();
    } catch (cause) {
      throw new LockstepError(
        'failed-precondition',
        `the file's keys are guarded by a ${found.kind} seal that this node can't open; give the nodes that seal first`,
        { cause },
      );
    }
    return seal;
  }

  /** Opens the whole file once, so that what is ordered can be put in place by every node that has the keys. */
  async #requireOpens(id: string): Promise<void> {
    const { folder, keeper } = this.#parts;
    const sealer = keeper.barrier.snapshots();
    if (sealer === undefined) throw new LockstepError('sealed', 'Vault is sealed');
    const target = `${folder.openedPath(id)}.check`;
    try {
      await openSaved({ path: folder.savedPath(id), target, sealer });
    } finally {
      await rm(target, { force: true });
    }
  }

  async #spread(id: string, signal: AbortSignal): Promise<void> {
    const { consensus, restores, pull, setTimer } = this.#parts;
    await restores.hold(id);
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(spreadDeadlineMs)]);
    const membership = (): ReturnType<ConsensusNode['status']>['membership'] => consensus.status().membership;
    const { id: self } = consensus.status();
    if (!(await spreadToQuorum({ id, self, membership, pull, setTimer, signal: deadline })))
      throw new LockstepError('unavailable', 'no quorum came to hold the file; nothing was changed, try again');
  }

  async #order(of: {
    readonly id: string;
    readonly saved: SavedSnapshot;
    readonly seal: SealConfiguration | undefined;
  }): Promise<LogIndex> {
    const { consensus, positions, logTimeMs } = this.#parts;
    const { id, saved, seal } = of;
    const timeMs = await logTimeMs();
    this.#requireReady();
    const restore = { savedId: id, timeMs, versionOffset: this.#versionOffset(saved) };
    const data = encodeControlEntry({ seal, founding: new Uint8Array(0), restore });
    const unknown = new LockstepError(
      'outcome-unknown',
      'the restore was ordered and not confirmed: it may or may not happen; look at the cluster before trying again',
    );
    return await waitUntil<LogIndex>(
      performance.now() + replaceDeadlineMs,
      (resolve, reject) =>
        consensus.proposeControl(data, (outcome) => {
          if (outcome.kind === 'refused')
            reject(
              new LockstepError(
                'no-leader',
                `the restore was not ordered (${outcome.reason}); nothing was changed, try again`,
              ),
            );
          else if (outcome.kind === 'unknown') reject(unknown);
          else
            positions.whenControl(outcome.index, outcome.term, (isOurs) => {
              if (!isOurs)
                reject(
                  new LockstepError(
                    'no-leader',
                    'another entry took the place of the restore; nothing was changed, try again',
                  ),
                );
              // With other keys it is in place once somebody unseals.
              else if (seal !== undefined) resolve(outcome.index);
              else positions.whenApplied(outcome.index, () => resolve(outcome.index));
            });
        }),
      (_, reject) => reject(unknown),
    );
  }

  /** So much that no value written later has the version of one in the snapshot. */
  #versionOffset(saved: SavedSnapshot): number {
    const { state, consensus } = this.#parts;
    const own = state.restored?.versionOffset ?? 0;
    const newest = saved.index + saved.versionOffset;
    return newest <= consensus.status().raft.lastIndex + own ? own : newest;
  }
}

/** What a file's head tells is enough to refuse it. */
function admit(saved: SavedSnapshot, to: { readonly clusterId: string; readonly force: boolean }): void {
  if (saved.factVersion > factVersionKnown)
    throw new LockstepError(
      'failed-precondition',
      `the file was saved by version ${saved.program}, with facts of version ${saved.factVersion}; this version knows ${factVersionKnown}`,
    );
  if (!to.force && saved.clusterId !== to.clusterId)
    throw new LockstepError(
      'failed-precondition',
      `the file is of cluster ${saved.clusterId}, not ${to.clusterId}: restore it by force, if its unseal keys are at hand`,
    );
}
