// The bare pipeline of `npm run bench -- raft`, the ceiling of what processes on one machine can do: append, fdatasync, plain
// TCP, most of them. No Raft, no TLS, no LevelDB, and nothing survives but the file.
import { answerParent } from '../answering.ts';
import { machineMs, type Question, type Usage } from '../question.ts';
import { BareFollower } from './bare-follower.ts';
import { BareLeader } from './bare-leader.ts';
import type { BareProcess } from './bare-process.ts';

const directory = process.argv[2] ?? '.';
const followerPorts = process.argv.slice(3).map(Number);
const bare =
  followerPorts.length > 0 ? await BareLeader.open(directory, followerPorts) : await BareFollower.open(directory);

function usage({ transactions, syncs }: BareProcess): Partial<Usage> {
  const cpu = process.cpuUsage();
  const { rss } = process.memoryUsage();
  return { atMs: machineMs(), cpuMicros: cpu.user + cpu.system, rssBytes: rss, transactions, syncs };
}

function answer(question: Question): unknown {
  switch (question.kind) {
    case 'address':
      return { port: bare.port };
    case 'usage':
      return usage(bare);
    case 'load':
      if (bare instanceof BareLeader) bare.begin(question.load);
      return {};
    case 'end-load':
      return bare instanceof BareLeader ? bare.end() : {};
    case 'start':
    case 'campaign':
    case 'control-entries':
    case 'stop':
      throw new Error(`the bare pipeline does no ${question.kind}`);
    default:
      return question satisfies never;
  }
}

answerParent(async (question) => await Promise.resolve(answer(question)));
