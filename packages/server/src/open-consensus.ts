import { randomInt } from 'node:crypto';
import type { AutopilotHost } from '@lockstep/core/autopilot/autopilot';
import { type OpenedLog, openLevelLog } from '@lockstep/core/log/level-log';
import { type ConsensusNode, startNode } from '@lockstep/core/node';
import { openGrpcPeers } from '@lockstep/core/peers/grpc-peers';
import type { PeerEvents } from '@lockstep/core/peers/peers';
import type { PullSnapshot } from '@lockstep/core/peers/snapshot-transfer';
import { membersOf } from '@lockstep/core/raft/membership';
import type { NodeConfig } from './config.ts';
import type { DataDirectory } from './data-directory.ts';
import type { NodeDisk } from './disk/node-disk.ts';
import type { Log, LogFields } from './log.ts';
import type { Machine } from './machine.ts';
import type { Metrics } from './metrics.ts';
import { otherMembers, snapshotSource } from './open-snapshots.ts';
import type { Restores } from './restore/restores.ts';

interface ConsensusParts {
  readonly config: NodeConfig;
  readonly log: Log;
  readonly onFatal: (error: unknown) => void;
  readonly wallMs: () => number;
  readonly metrics: Metrics;
  readonly machine: Machine;
  readonly restores: Restores;
  readonly directory: DataDirectory;
  readonly disk: NodeDisk;
  readonly autopilot: AutopilotHost;
  /** A log is begun where none is. */
  readonly mayBegin: boolean;
}

export interface OpenConsensus {
  readonly consensus: ConsensusNode;
  readonly pull: PullSnapshot;
}

/** Opens the log and the streams to the other nodes, and starts the driver on them. */
export async function openConsensus(parts: ConsensusParts): Promise<OpenConsensus> {
  const { config, onFatal, directory, mayBegin, metrics, machine } = parts;
  const voters = config.isJoining ? [] : config.members.map((member) => member.id);
  const membership = { voters, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const log = await openLevelLog({
    directory: directory.logDirectory,
    clusterId: config.clusterId,
    node: config.node.id,
    ...(mayBegin ? { format: { incarnation: config.incarnation ?? randomInt(1, 2 ** 47), membership } } : {}),
    onFatal,
    onSync: (ms) => metrics.logSynced(ms),
  });
  const begun = new AsyncDisposableStack();
  begun.defer(() => log.store.close());
  try {
    await directory.stamp(log.identity);
    // A lone node has nobody to fetch a state from: it refuses to start.
    if (membersOf(log.stored.membership).some((id) => id !== config.node.id)) machine.reach(log.stored.snapshot.index);
    return await startConsensus(parts, log, begun);
  } catch (error) {
    await begun.disposeAsync();
    throw error;
  }
}

/** From here on the driver closes what was opened for it. */
async function startConsensus(
  { config, machine, restores, disk, autopilot, log, onFatal, wallMs }: ConsensusParts,
  { stored, store, identity }: OpenedLog,
  begun: AsyncDisposableStack,
): Promise<OpenConsensus> {
  let events: PeerEvents | undefined;
  const { peers, pullSnapshot } = await openGrpcPeers({
    self: { node: config.node.id, clusterId: config.clusterId, incarnation: identity.incarnation },
    listen: { host: config.peer.host, port: config.peer.port },
    tls: config.peer,
    // Until the driver runs nothing is expected, and Raft repeats what matters.
    events: {
      onMessages: (from, messages) => events?.onMessages(from, messages),
      onDisconnected: (from) => events?.onDisconnected(from),
      greeting: (to) => events?.greeting?.(to) ?? [],
      onIncarnation: (node, incarnation) => events?.onIncarnation?.(node, incarnation),
      onRefused: (by, refusal) => events?.onRefused?.(by, refusal),
    },
    snapshot: snapshotSource({ machine, restores, log }),
    log: ({ kind, node: peer, ...fields }) => log.info(`peer-${kind}`, definedOnly({ peer, ...fields })),
  });
  begun.defer(() => peers.close());
  const consensus = startNode({
    id: config.node.id,
    clock: { nowMs: () => performance.now(), wallMs, setTimer },
    random: (below) => randomInt(below),
    store,
    stored,
    peers: (given) => {
      events = given;
      return peers;
    },
    pullSnapshot,
    machine,
    members: config.members.map(({ id: node, peerAddress: address, ...member }) => ({ node, address, ...member })),
    isJoining: config.isJoining,
    incarnation: identity.incarnation,
    log: (event, fields) => log.info(event, fields),
    onFatal,
    diskSpace: disk.diskSpace,
    memory: disk.memory,
    onQuarantine: disk.onQuarantine,
    autopilot,
    ...(disk.quarantine === undefined ? {} : { quarantine: disk.quarantine }),
  });
  restores.connect({ pull: pullSnapshot, others: () => otherMembers(consensus) });
  return { consensus, pull: pullSnapshot };
}

function definedOnly(fields: { readonly [name: string]: string | number | boolean | undefined }): LogFields {
  const defined: { [name: string]: string | number | boolean } = {};
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) defined[name] = value;
  return defined;
}

/** One of the real clock; what it returns stops it. */
export function setTimer(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
}
