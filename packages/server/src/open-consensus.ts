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
  readonly opened: OpenedLog;
  /** What was opened for the driver, which closes it from its start on. */
  readonly begun: AsyncDisposableStack;
}

type LogParts = Pick<ConsensusParts, 'config' | 'onFatal' | 'metrics' | 'directory'>;

export interface OpenConsensus {
  readonly consensus: ConsensusNode;
  readonly pull: PullSnapshot;
}

/** Opens the log, which is begun where none is and `mayBegin`. */
export async function openLog(parts: LogParts, mayBegin: boolean, begun: AsyncDisposableStack): Promise<OpenedLog> {
  const { config, onFatal, metrics, directory } = parts;
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
  begun.defer(() => log.store.close());
  return log;
}

/** Whether there is a node besides this one, as the log says; as long as that knows of none at all, as this node was told. */
export function hasOthers({ members, node }: NodeConfig, log: OpenedLog | undefined): boolean {
  const known = log === undefined ? [] : membersOf(log.stored.membership);
  return (known.length > 0 ? known : members.map(({ id }) => id)).some((id) => id !== node.id);
}

/** Opens the streams to the other nodes, and starts the driver on them and the log. */
export async function openConsensus(parts: ConsensusParts): Promise<OpenConsensus> {
  const { config, machine, restores, disk, autopilot, log, onFatal, wallMs, directory, opened, begun } = parts;
  const { stored, store, identity } = opened;
  await directory.stamp(identity);
  // A lone node has nobody to fetch a state from: it refuses to start.
  if (hasOthers(config, opened)) machine.reach(stored.snapshot.index);
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
  begun.move();
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
