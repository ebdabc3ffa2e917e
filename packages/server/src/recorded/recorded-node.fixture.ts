import { randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { openFileSink } from '@lockstep/audit/sinks';
import { Trail } from '@lockstep/audit/trail';
import type { Operation, Reply } from '@lockstep/contract/engine';
import { NodeId } from '@lockstep/contract/ids';
import { Secret } from '@lockstep/contract/secret';
import { MemoryLog, type MemoryLogImage } from '@lockstep/core/log/memory-log';
import { type ConsensusNode, startNode } from '@lockstep/core/node';
import { MemoryNetwork } from '@lockstep/core/peers/memory-peers';
import type { Clock } from '@lockstep/core/timings';
import { Barrier } from '@lockstep/seal/barrier';
import { staticSeal } from '@lockstep/seal/seals';
import { AuditedRequests } from '../audited-requests.ts';
import { sealInForce } from '../control-entry.ts';
import type { DoorRequest } from '../doors/door.ts';
import { freeBytesOf } from '../disk/node-disk.ts';
import { Host } from '../host.ts';
import { Machine } from '../machine.ts';
import { Offload } from '../offload.ts';
import { Positions } from '../positions.ts';
import { handleRequest } from '../request.ts';
import { RestoreFolder } from '../restore/restore-folder.ts';
import { Restores } from '../restore/restores.ts';
import { SealKeeper } from '../seal-keeper.ts';
import { openState, type StateDb } from '../state/state-db.ts';
import { waitUntil } from '../wait.ts';

/** The only voter of a recorded cluster. */
export const recordedNodeId: NodeId = NodeId(1);
/** Longer than anything here takes; a wait that ends by it has failed. */
export const recordedDeadlineMs = 10_000;
const pollMs = 5;

export interface Asked {
  readonly operation: Operation;
  readonly path: string;
  readonly data?: { readonly [name: string]: unknown };
  readonly token?: string;
  readonly idempotencyKey?: string;
}

export interface RecordedNode {
  readonly clusterId: string;
  readonly host: Host;
  readonly state: StateDb;
  readonly keeper: SealKeeper;
  readonly consensus: ConsensusNode;
  readonly positions: Positions;
  readonly machine: Machine;
  readonly restores: Restores;
  readonly folder: RestoreFolder;
  /** What kept the node from unsealing itself, or a restore from being put in place. */
  readonly failures: readonly unknown[];
  /** What the log holds. */
  readonly image: () => MemoryLogImage;
  readonly clock: SkippingClock;
  /** As a door would. Throws where the request is refused. */
  readonly ask: (asked: Asked) => Promise<Reply>;
  readonly close: () => Promise<void>;
}

export interface RecordedNodeOptions {
  readonly image: MemoryLogImage;
  /** Holds the state, and the audit trail. */
  readonly directory: string;
  readonly clusterId: string;
  readonly staticKey: Uint8Array;
  readonly startMs: number;
  readonly freeBytes?: (directory: string) => Promise<number>;
}

/**
 * The real driver, machine, state and request pipeline of a cluster's only node, on a log in memory, so that a recorded log can
 * be played and a new one recorded. It leads when this resolves.
 */
export async function openRecordedNode(of: RecordedNodeOptions): Promise<RecordedNode> {
  const clock = new SkippingClock(of.startMs);
  const { onUnsealed, ...own } = await openMachine(of, clock);
  const { state, keeper, positions, machine, restores } = own;
  const log = new MemoryLog(of.image, { schedule: (work) => void setImmediate(work) });
  const consensus = startAlone({ machine, log, clock });
  onUnsealed(() => {
    machine.restoreTime();
    restores.wake();
    consensus.resumeApply();
  });
  const record = state.controlRecord;
  if (record !== undefined) keeper.adopt(sealInForce(record));
  await keeper.openByItself();
  const sink = await openFileSink(join(of.directory, 'audit.log'));
  const trail = new Trail({ sinks: [sink], wallMs: clock.wallMs, run: randomUUID() });
  const audit = new AuditedRequests({ trail, keeper });
  const offload = new Offload();
  const members = { clusterId: of.clusterId, founderAuthority: () => undefined };
  const host = new Host({
    state,
    consensus,
    positions,
    audit,
    offload,
    random: randomBytes,
    members,
    logFault: throwIt,
  });
  consensus.campaign();
  await until('the node leads', () => consensus.status().raft.role === 'leader');
  return {
    ...own,
    clusterId: of.clusterId,
    host,
    consensus,
    clock,
    image: () => log.durableImage(log.unsyncedCount()),
    ask: async (asked) => {
      const reply = await handleRequest(host, doorRequest(asked));
      if (reply.kind !== 'reply') throw new Error(`${asked.operation} ${asked.path}: ${JSON.stringify(reply)}`);
      return reply.reply;
    },
    close: async () => {
      restores.close();
      await consensus.close();
      await state.close();
      await Promise.all([audit.close(), offload.close()]);
    },
  };
}

/** Time goes on by itself for consensus; the wall's stands still but for `skip`: answers must not depend on how long a machine takes. */
export class SkippingClock implements Clock {
  readonly #startMs: number;
  #skippedMs = 0;

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  readonly nowMs = (): number => performance.now() + this.#skippedMs;
  readonly wallMs = (): number => this.#startMs + this.#skippedMs;
  readonly setTimer = (ms: number, run: () => void): (() => void) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  };

  skip(ms: number): void {
    this.#skippedMs += ms;
  }
}

/** What is opened before consensus. */
async function openMachine(
  of: RecordedNodeOptions,
  clock: Clock,
): Promise<
  Pick<RecordedNode, 'state' | 'keeper' | 'positions' | 'machine' | 'restores' | 'folder' | 'failures'> & {
    readonly onUnsealed: (run: () => void) => void;
  }
> {
  let resume = (): void => undefined;
  const barrier = new Barrier({ clusterId: of.clusterId, random: randomBytes });
  const state = await openState({
    directory: join(of.directory, 'state'),
    clusterId: of.clusterId,
    values: () => barrier.values(),
    hashKey: () => barrier.stateHashKey(),
    onFatal: throwIt,
    onSnapshotFailure: throwIt,
  });
  const keeper = new SealKeeper({
    barrier,
    autoSeal: staticSeal({ key: new Secret(Buffer.from(of.staticKey)), random: randomBytes }),
    random: randomBytes,
    onUnsealed: () => resume(),
    onSealed: () => state.forgetPlaintext(),
  });
  const positions = new Positions(state.appliedIndex);
  const failures: unknown[] = [];
  const failed = (error: unknown): void => void failures.push(error);
  const onSealConfiguration = (): void => void keeper.openByItself().catch(failed);
  const folder = await RestoreFolder.open(join(of.directory, 'restores'), of.freeBytes ?? freeBytesOf);
  const restores = new Restores({
    folder,
    state,
    sealer: () => barrier.snapshots(),
    onRestored: (restored) => {
      machine.restored(restored);
      resume();
    },
    onFailure: failed,
    setTimer: clock.setTimer,
    nowMs: clock.nowMs,
  });
  const machine = new Machine({
    state,
    keeper,
    positions,
    onFatal: throwIt,
    onSealConfiguration,
    restores,
    onDiffers: () => undefined,
  });
  const onUnsealed = (run: () => void): void => {
    resume = run;
  };
  return { state, keeper, positions, machine, restores, folder, failures, onUnsealed };
}

/** The driver of a cluster's only voter. What it sends to others is lost. */
function startAlone(of: { readonly machine: Machine; readonly log: MemoryLog; readonly clock: Clock }): ConsensusNode {
  const { machine, log, clock } = of;
  const network = new MemoryNetwork(() => undefined);
  return startNode({
    id: recordedNodeId,
    clock,
    random: () => 0,
    store: log,
    stored: log.stored(),
    peers: (events) =>
      network.join(recordedNodeId, events, { read: (_id, _offset, _max, done) => done(undefined) }).peers,
    pullSnapshot: () => {
      throw new Error('the only node has nobody to pull from');
    },
    machine,
    members: [{ node: recordedNodeId, address: '127.0.0.1:1' }],
    log: () => undefined,
    onFatal: throwIt,
  });
}

function doorRequest(asked: Asked): DoorRequest {
  return {
    operation: asked.operation,
    path: asked.path,
    data: asked.data ?? {},
    token: asked.token === undefined ? undefined : new Secret(Buffer.from(asked.token)),
    remoteAddress: '127.0.0.1',
    door: 'http',
    requestId: randomUUID(),
    namespace: undefined,
    idempotencyKey: asked.idempotencyKey,
    wrapTtl: undefined,
    deadlineMs: recordedDeadlineMs,
    signal: new AbortController().signal,
  };
}

function throwIt(error: unknown): never {
  throw error;
}

/** Waits for a condition; fails after `recordedDeadlineMs`. */
export function until(what: string, holds: () => boolean): Promise<void> {
  return waitUntil<void>(
    performance.now() + recordedDeadlineMs,
    (resolve) => {
      const look = (): void => {
        if (holds()) resolve();
        else setTimeout(look, pollMs);
      };
      look();
    },
    (_, reject) => reject(new Error(`${what}: not within ${recordedDeadlineMs} ms`)),
  );
}
