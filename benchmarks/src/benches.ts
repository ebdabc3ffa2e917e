import { tmpdir } from 'node:os';
import { type Choices, UsageError } from './choices.ts';
import { doors } from './pki-cluster.ts';
import { benchPkiIssue } from './pki-issue.ts';
import { benchPkiWidth } from './pki-width.ts';
import { benchRaft } from './raft/bench-raft.ts';
import { benchCatchUp } from './raft/catch-up.ts';
import { benchEndurance } from './raft/endurance.ts';
import { benchFailover } from './raft/failover.ts';
import { benchWidth } from './raft/width.ts';
import { benchStorage } from './storage/bench-storage.ts';

/** One kind of measurement: what it is asked with, and what it tells. */
export interface Bench {
  readonly usage: string;
  readonly options: readonly string[];
  /** Options without a value. */
  readonly flags?: readonly string[];
  readonly run: (choices: Choices, report: (line: string) => void) => Promise<object>;
}

const secondsMax = 3_600;
const nodesMax = 9;

export const benches: { readonly [name: string]: Bench } = {
  'pki-issue': {
    usage: `  pki-issue   certificates a second: P-256, key made by the server, TLS on, stored, audit on,
              three real processes and the client on this machine
    --nodes 3         how many nodes
    --seconds 20      how long to measure, after warming up
    --concurrency 64  requests under way at once
    --door grpc       which door to ask: grpc or http
    --profile         sample what each process does, and add its time up by part; costs some speed
    --against-nodes N instead: what a certificate costs the leader, compared with a cluster of N nodes
    --rounds 3        with --against-nodes: how often to measure both; the median is told
`,
    options: ['nodes', 'seconds', 'concurrency', 'door', 'against-nodes', 'rounds'],
    flags: ['profile'],
    run: runPkiIssue,
  },
  raft: {
    usage: `  raft        commits and linearizable reads a second of consensus alone, beside what the disk and a bare
              pipeline of processes do in the same run
    --nodes 3         how many nodes, each a process
    --seconds 4       how long to measure each figure, after warming up
    --rounds 3        how often to go through all of them; medians are told
    --bytes 256       one payload
    --dir FOLDER      on the disk that is meant (default: the system's folder for temporary files)
    --against-nodes N instead: what a commit costs the leader, compared with a cluster of N nodes, in turns: at the same rates,
                      and with as many in flight (9 rounds of 2 s)
    --kills N         instead: how long no write is acknowledged when the leader is killed, N times
    --minutes M       instead: memory and disk under load over M minutes, with 64 in flight (or --in-flight N)
`,
    options: ['nodes', 'seconds', 'rounds', 'bytes', 'dir', 'against-nodes', 'kills', 'minutes', 'in-flight'],
    run: runRaft,
  },
  'catch-up': {
    usage: `  catch-up    a follower that was killed comes back many entries later, and catches up while the leader serves
    --nodes 3         how many nodes, each a process
    --entries 1000000 how many entries later
    --bytes 256       one entry
    --snapshot-mib 64 how large a snapshot of the state is
    --dir FOLDER      on the disk that is meant (default: the system's folder for temporary files)
`,
    options: ['nodes', 'entries', 'bytes', 'snapshot-mib', 'dir'],
    run: (choices, report) =>
      benchCatchUp(
        {
          nodes: choices.count('nodes', 3, nodesMax),
          entries: choices.count('entries', 1_000_000, 100_000_000),
          bytes: choices.count('bytes', 256, 1024 * 1024),
          snapshotMiB: choices.count('snapshot-mib', 64, 4_096),
          directory: choices.text('dir', tmpdir()),
        },
        report,
      ),
  },
  storage: {
    usage: `  storage     the log's layout and LevelDB's settings, compared in turns: a record for each entry or for each
              write, buffers, blocks, cache, compression, and a plain file
    --seconds 1       how long to write with each of them, for each kind of write
    --rounds 3        how often to go through all of them; medians are told
    --dir FOLDER      on the disk that is meant (default: the system's folder for temporary files)
`,
    options: ['seconds', 'rounds', 'dir'],
    run: (choices, report) =>
      benchStorage(
        {
          times: {
            diskMs: 500,
            warmUpMs: 300,
            measureMs: choices.count('seconds', 1, secondsMax) * 1_000,
            settleMs: 60,
          },
          rounds: choices.count('rounds', 3, 100),
          directory: choices.text('dir', tmpdir()),
        },
        report,
      ),
  },
};

function runPkiIssue(choices: Choices, report: (line: string) => void): Promise<object> {
  choices.requireAtMostOne(['against-nodes', 'profile']);
  const load = {
    nodes: choices.count('nodes', 3, nodesMax),
    seconds: choices.count('seconds', 20, secondsMax),
    concurrency: choices.count('concurrency', 64, 4_096),
    door: choices.oneOf('door', doors),
  };
  if (!choices.has('against-nodes') && choices.has('rounds'))
    throw new UsageError('--rounds is for --against-nodes: without it there is one measurement');
  if (!choices.has('against-nodes')) return benchPkiIssue({ ...load, profile: choices.has('profile') }, report);
  const againstNodes = otherWidth(choices, load.nodes);
  return benchPkiWidth({ ...load, againstNodes, rounds: choices.count('rounds', 3, 100) }, report);
}

function otherWidth(choices: Choices, nodes: number): number {
  const againstNodes = choices.count('against-nodes', 7, nodesMax);
  if (againstNodes === nodes) throw new UsageError('--against-nodes must differ from --nodes');
  return againstNodes;
}

function runRaft(choices: Choices, report: (line: string) => void): Promise<object> {
  const nodes = choices.count('nodes', 3, nodesMax);
  const bytes = choices.count('bytes', 256, 1024 * 1024);
  const directory = choices.text('dir', tmpdir());
  const rounds = choices.count('rounds', 3, 100);
  const times = { diskMs: 300, warmUpMs: 1_000, measureMs: choices.count('seconds', 4, secondsMax) * 1_000 };
  choices.requireAtMostOne(['against-nodes', 'kills', 'minutes']);
  if (choices.has('kills'))
    return benchFailover({ nodes, bytes, directory, kills: choices.count('kills', 20, 10_000) }, report);
  if (choices.has('minutes')) {
    const minutes = choices.count('minutes', 20, 24 * 60);
    const inFlight = choices.count('in-flight', 64, 16_384);
    return benchEndurance({ nodes, bytes, directory, minutes, inFlight }, report);
  }
  if (choices.has('against-nodes')) {
    const width = { nodes, againstNodes: otherWidth(choices, nodes), bytes, directory };
    const measureMs = choices.count('seconds', 2, secondsMax) * 1_000;
    return benchWidth({ ...width, times: { ...times, measureMs }, rounds: choices.count('rounds', 9, 100) }, report);
  }
  return benchRaft({ nodes, times, rounds, bytes, directory }, report);
}
