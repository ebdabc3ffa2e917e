import { randomBytes, randomUUID } from 'node:crypto';
import { rootNamespace } from '@lockstep/contract/ids';
import type { AutoSeal } from '@lockstep/contract/seal';
import type { ConsensusNode } from '@lockstep/core/node';
import type { PullSnapshot } from '@lockstep/core/peers/snapshot-transfer';
import { Barrier } from '@lockstep/seal/barrier';
import { pooledRandom } from '@lockstep/seal/random';
import { staticSeal } from '@lockstep/seal/seals';
import { readStaticKey } from '@lockstep/seal/static/static-seal';
import { type AuditedRequests, openAudit } from './audited-requests.ts';
import type { Listener, NodeConfig } from './config.ts';
import { sealInForce } from './control-entry.ts';
import { DataDirectory } from './data-directory.ts';
import { freeBytesOf, openNodeDisk } from './disk/node-disk.ts';
import type { DoorRequest } from './doors/door.ts';
import { type GrpcDoor, openGrpcDoor } from './doors/grpc/grpc-door.ts';
import { type HttpDoor, openHttpDoor } from './doors/http/http-door.ts';
import { Host } from './host.ts';
import { stateSyncMs } from './limits.ts';
import { faultFields, type Log } from './log.ts';
import { Machine } from './machine.ts';
import { AutopilotSteps, systemStateOf } from './members/autopilot-steps.ts';
import { founderAuthorityOf, joinContextOf } from './members/open-members.ts';
import type { MetricsSource } from './metric-rows.ts';
import { Metrics } from './metrics.ts';
import { nodeHandle, nodeRefused } from './node.ts';
import type { NodeContext } from './node-context.ts';
import { hasOthers, openConsensus, openLog, setTimer } from './open-consensus.ts';
import { type OpenRestores, openRestores, snapshotsForOperators } from './open-snapshots.ts';
import { Offload } from './offload.ts';
import { Positions } from './positions.ts';
import type { PendingRestore } from './restore/restores.ts';
import { SealKeeper } from './seal-keeper.ts';
import { newSweepCursor, sweep } from './sweep.ts';
import { Sweeper } from './sweeper.ts';
import { markGone } from './state/state-damage.ts';
import { openState, type StateDb } from './state/state-db.ts';
import { StateScrubber } from './state/state-scrubber.ts';

export interface OpenNode {
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Opens the audit's files anew; rejects where one can't be, which then goes on with what it had. */
  readonly reopenAudit: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * Opens one node, in the order in which each part may rely on the one before: disk, peers, consensus, doors. `world` is what the
 * machine around it says, where it shall say something else.
 */
export async function openNode(
  config: NodeConfig,
  log: Log,
  onFatal: (error: unknown) => void,
  world: Partial<World> = {},
): Promise<OpenNode> {
  const opened = new AsyncDisposableStack();
  const { wallMs = () => Date.now(), freeBytes = freeBytesOf } = world;
  try {
    return await openParts({ config, log, onFatal, wallMs, freeBytes, metrics: new Metrics(), opened });
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

export interface World {
  /** The machine's clock. */
  readonly wallMs: () => number;
  /** Bytes that this process may still write in a directory. */
  readonly freeBytes: (directory: string) => Promise<number>;
}

interface NodeParts extends World {
  readonly config: NodeConfig;
  readonly log: Log;
  readonly onFatal: (error: unknown) => void;
  readonly metrics: Metrics;
  /** What is closed again, the last first, when the node is closed or can't be opened. */
  readonly opened: AsyncDisposableStack;
}

async function openParts(parts: NodeParts): Promise<OpenNode> {
  const { config, log, freeBytes, opened } = parts;
  const directory = await DataDirectory.open(config.dataDirectory);
  const begun = opened.use(new AsyncDisposableStack());
  const logParts = { ...parts, directory };
  // First, where there is one: it knows whether a state that is damaged can come from another node.
  const kept = directory.hasLog ? await openLog(logParts, false, begun) : undefined;
  const isOneOfSeveral = hasOthers(config, kept);
  if (!isOneOfSeveral) directory.requireState();
  // What happens before consensus is there has nothing to wake yet.
  const wake = { unsealed: (): void => {}, applyOn: (): void => {}, damaged: (): void => {}, differs: (): void => {} };
  const own = await openMachine(parts, { directory, mayBeginAnew: isOneOfSeveral }, wake);
  const { state, keeper, machine, snapshots } = own;
  const { dataDirectory, disk: diskConfig } = config;
  const diskParts = [directory.stateDirectory];
  const disk = await openNodeDisk(
    { directory: dataDirectory, parts: diskParts, config: diskConfig, log, setTimer, freeBytes },
    opened,
  );
  const autopilot = autopilotOf(own, log);
  const { consensus, pull } = await openConsensus({
    ...parts,
    autopilot,
    machine,
    restores: snapshots.restores,
    directory,
    disk,
    opened: kept ?? (await openLog(logParts, directory.mayBegin(state), begun)),
    begun,
  });
  opened.defer(async () => {
    consensus.transferLeader();
    await consensus.close();
  });
  wake.applyOn = () => consensus.resumeApply();
  wake.damaged = () => consensus.refetchState();
  wake.unsealed = () => {
    machine.restoreTime();
    log.info('unsealed');
    snapshots.restores.wake();
    consensus.resumeApply();
  };
  const record = state.controlRecord;
  if (record !== undefined) keeper.adopt(sealInForce(record));
  openLater(keeper, log);
  const scrubber = scrubberOf(own, log);
  opened.defer(() => scrubber.close());
  wake.differs = () => scrubber.hurry();
  return await openDoors({ ...parts, ...own, pull, consensus, scrubber, autopilot });
}

function autopilotOf({ state, keeper, snapshots }: OwnParts, log: Log): AutopilotSteps {
  return new AutopilotSteps({
    state: systemStateOf({
      isReadable: () => !keeper.isSealed && state.integrity.damage === undefined,
      state: (mount) => state.mountState(rootNamespace, mount),
    }),
    isRestoring: () => snapshots.restores.pending !== undefined,
    newId: randomUUID,
    nowMs: () => performance.now(),
    log,
  });
}

function scrubberOf({ state, keeper }: Pick<OwnParts, 'state' | 'keeper'>, log: Log): StateScrubber {
  return new StateScrubber({
    integrity: state.integrity,
    isOpen: () => !keeper.isSealed,
    nowMs: () => performance.now(),
    setTimer,
    onFault: (error) => log.error('scrub-failed', faultFields(error)),
  });
}

interface OwnParts {
  readonly state: StateDb;
  readonly positions: Positions;
  readonly autoSeal: AutoSeal | undefined;
  readonly keeper: SealKeeper;
  readonly snapshots: OpenRestores;
  readonly machine: Machine;
}

/** The state, and all that consensus hands entries to. */
async function openMachine(
  parts: NodeParts,
  { directory, mayBeginAnew }: { readonly directory: DataDirectory; readonly mayBeginAnew: boolean },
  wake: {
    readonly unsealed: () => void;
    readonly applyOn: () => void;
    readonly damaged: () => void;
    readonly differs: () => void;
  },
): Promise<OwnParts> {
  const { config, log, onFatal, freeBytes, opened } = parts;
  const barrier = new Barrier({ clusterId: config.clusterId, random: pooledRandom() });
  if (directory.isStateGone) await markGone(directory.stateDirectory);
  const state = await openState({
    directory: directory.stateDirectory,
    clusterId: config.clusterId,
    values: () => barrier.values(),
    hashKey: () => barrier.stateHashKey(),
    onFatal,
    onCaughtUp: () => wake.applyOn(),
    // With others to ask, a state that is lost is not the end; a lone node must not throw away what may still be mended.
    mayBeginAnew,
    onDamaged: (why) => {
      log.error('state-damaged', { reason: why });
      wake.damaged();
    },
    onSnapshotFailure: (error) => log.error('snapshot-failed', faultFields(error)),
  });
  opened.defer(() => state.close());
  if (state.integrity.damage !== undefined) log.error('state-damaged', { reason: state.integrity.damage });
  const positions = new Positions(state.appliedIndex);
  const autoSeal = autoSealOf(config);
  const keeper = new SealKeeper({
    barrier,
    autoSeal,
    random: randomBytes,
    onUnsealed: () => wake.unsealed(),
    onSealed: () => state.forgetPlaintext(),
  });
  const onRestored = (restored: PendingRestore): void => {
    machine.restored(restored);
    wake.applyOn();
  };
  const snapshots = await openRestores({
    directory: directory.restoresDirectory,
    state,
    keeper,
    log,
    onRestored,
    setTimer,
    freeBytes,
  });
  const { restores } = snapshots;
  opened.defer(async () => restores.close());
  const onSealConfiguration = (): void => openLater(keeper, log);
  const onDiffers = (): void => wake.differs();
  const machine = new Machine({ state, keeper, positions, onFatal, onSealConfiguration, restores, onDiffers });
  return { state, positions, autoSeal, keeper, snapshots, machine };
}

function autoSealOf(config: NodeConfig): AutoSeal | undefined {
  return config.seal.type === 'static'
    ? staticSeal({ key: readStaticKey(config.seal.keyFile), random: randomBytes })
    : undefined;
}

/** A node with a seal of its own opens itself as soon as the cluster is initialized. */
function openLater(keeper: SealKeeper, log: Log): void {
  keeper.openByItself().catch((error: unknown) => log.error('unseal-failed', faultFields(error)));
}

interface DoorParts {
  readonly config: NodeConfig;
  readonly state: StateDb;
  readonly snapshots: OpenRestores;
  readonly pull: PullSnapshot;
  readonly machine: Machine;
  readonly positions: Positions;
  readonly keeper: SealKeeper;
  readonly autoSeal: AutoSeal | undefined;
  readonly consensus: ConsensusNode;
  readonly scrubber: StateScrubber;
  readonly autopilot: AutopilotSteps;
  readonly log: Log;
  readonly wallMs: () => number;
  readonly metrics: Metrics;
  readonly opened: AsyncDisposableStack;
}

async function openDoors(parts: DoorParts): Promise<OpenNode> {
  const { config, state, positions, keeper, consensus, log, wallMs, metrics, opened } = parts;
  const offload = new Offload();
  opened.defer(() => offload.close());
  const audit = await openAudit(config, keeper, { log, wallMs });
  opened.defer(() => audit.close());
  const logFault = (error: unknown, request: Pick<DoorRequest, 'requestId'>): void =>
    log.error('request-fault', { request: request.requestId, ...faultFields(error) });
  const members = { clusterId: config.clusterId, founderAuthority: founderAuthorityOf(config) };
  const host = new Host({ state, consensus, positions, audit, offload, random: pooledRandom(), members, logFault });
  parts.autopilot.connect(host);
  const sweeper = sweeperOf({ keeper, consensus, host, log });
  opened.defer(() => sweeper.close());
  metrics.watch(measured({ ...parts, audit, offload, sweeper }));
  const node: NodeContext = {
    config,
    keeper,
    consensus,
    host,
    positions,
    metrics,
    autoSeal: parts.autoSeal,
    log,
    wallMs,
    stateDamage: () => state.integrity.damage,
    ...snapshotsForOperators({ ...parts, ...parts.snapshots, host, setTimer }),
    compact: async () => {
      consensus.stateSynced(await state.sync());
      return consensus.compactNow();
    },
  };
  const { http, grpc } = await listen(node, opened);
  const syncing = setInterval(() => void state.sync().then((index) => consensus.stateSynced(index)), stateSyncMs);
  opened.defer(() => clearInterval(syncing));
  log.info('listening', { http: http.port, grpc: grpc.port, peer: config.peer.port });
  return {
    httpPort: http.port,
    grpcPort: grpc.port,
    reopenAudit: () => audit.reopen(),
    close: () => opened.disposeAsync(),
  };
}

/** Opens both doors: from here on there are requests. */
async function listen(
  node: NodeContext,
  opened: AsyncDisposableStack,
): Promise<{ readonly http: HttpDoor; readonly grpc: GrpcDoor }> {
  const { config, keeper, log } = node;
  const common = {
    handle: nodeHandle(node),
    onRefused: nodeRefused(node),
    onFault: (fault: unknown, requestId: string): void =>
      log.error('door-fault', { request: requestId, ...faultFields(fault) }),
  };
  const http = await openHttpDoor({ ...common, ...listenerOf(config.http), contextFor: joinContextOf(node) });
  const closing = [http.close];
  // All at once: each waits for what is under way.
  opened.defer(async () => void (await Promise.all(closing.map((close) => close()))));
  const isServing = (): boolean =>
    keeper.isInitialized &&
    !keeper.isSealed &&
    node.consensus.quarantine() === undefined &&
    node.stateDamage() === undefined;
  const grpc = await openGrpcDoor({ ...common, ...listenerOf(config.grpc), isServing, nowMs: () => Date.now() });
  closing.push(grpc.close);
  return { http, grpc };
}

function sweeperOf(of: Pick<DoorParts, 'keeper' | 'consensus' | 'log'> & { readonly host: Host }): Sweeper {
  const cursor = newSweepCursor();
  return new Sweeper({
    isDue: () => !of.keeper.isSealed && of.consensus.status().raft.role === 'leader',
    sweep: (deadline) => sweep(of.host, deadline, cursor),
    onFault: (error) => of.log.error('sweep-failed', faultFields(error)),
  });
}

interface Measured extends Pick<DoorParts, 'state' | 'consensus' | 'keeper' | 'positions' | 'scrubber' | 'autopilot'> {
  readonly audit: AuditedRequests;
  readonly offload: Offload;
  readonly sweeper: Sweeper;
}

function measured(of: Measured): MetricsSource {
  const { state, consensus, keeper, positions, audit, offload, sweeper, scrubber, autopilot } = of;
  return {
    status: () => consensus.status(),
    isSealed: () => keeper.isSealed,
    isQuarantined: () => Number(consensus.quarantine() !== undefined),
    waitingWrites: () => positions.waitingCount,
    statePendingBytes: () => state.pendingBytes,
    auditQueue: () => audit.waitingCount,
    auditSinkFailures: () => audit.sinkFailures,
    offloadQueue: () => offload.waitingCount,
    keysSwept: () => sweeper.keysSwept,
    isStateDamaged: () => Number(state.integrity.damage !== undefined),
    scrubPasses: () => scrubber.passes,
    scrubbedBytes: () => scrubber.bytes,
    autopilotSteps: () => autopilot.counts,
  };
}

function listenerOf({ host, port, tls }: Listener): Pick<Parameters<typeof openHttpDoor>[0], 'host' | 'port' | 'tls'> {
  return { host, port, tls: tls === undefined ? undefined : { cert: tls.certPem, key: tls.keyPem } };
}
