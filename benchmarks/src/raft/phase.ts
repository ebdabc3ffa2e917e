import type { Child } from './child.ts';
import { pause } from '../chaos/wait.ts';
import { OtherLoad } from '../busy-cores.ts';
import { Histogram } from '../histogram.ts';
import { rounded } from '../latencies.ts';
import { type DiskRate, diskRate } from './disk-rate.ts';
import type { LoadChoice, Pace, Usage } from './question.ts';

export interface PhaseTimes {
  /** The disk is asked right before each phase. */
  readonly diskMs: number;
  /** Before it is measured, so that code is compiled and windows are open. */
  readonly warmUpMs: number;
  readonly measureMs: number;
}

/** Who is loaded, and how, for one figure. */
export interface Phase {
  readonly name: string;
  readonly what: LoadChoice['what'];
  readonly pace: Pace;
  readonly bytes: number;
  /** All processes of the cluster, the leader first. */
  readonly children: readonly Child[];
  /** Where the callers are: spread over these. */
  readonly callersIn: readonly Child[];
}

export interface PhaseResult extends DiskRate {
  readonly per_second: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly refused: number;
  readonly unknown: number;
  /** Of the leader, and the mean of the others. */
  readonly cpu_microseconds: { readonly leader: number; readonly follower: number };
  /** Operations for each entry of the log and each fsync of the leader; 0 where that means nothing. */
  readonly per_entry: number;
  readonly per_leader_sync: number;
  readonly other_busy_cores: number;
}

/** Loads a cluster for `ms` and says what came of it. Work is counted where the leader applied it, over the leader's own clock. */
export async function runPhase(
  phase: Phase,
  at: { readonly directory: string; readonly times: PhaseTimes },
): Promise<PhaseResult> {
  const { diskMs, warmUpMs, measureMs } = at.times;
  const disk = diskRate(at.directory, diskMs);
  const others = new OtherLoad([process.pid, ...phase.children.map(({ pid }) => pid)]);
  const callers = phase.callersIn.map((child, position) => ({ child, pace: shareOf(phase, position) }));
  for (const { child, pace } of callers)
    await child.ask({ kind: 'load', load: { what: phase.what, pace, bytes: phase.bytes, warmUpMs } });
  await pause(warmUpMs);
  const before = await usagesOf(phase.children);
  others.read();
  await pause(measureMs);
  const after = await usagesOf(phase.children);
  const otherCores = others.read();
  const seen = await Promise.all(callers.map(({ child }) => child.endLoad()));
  const histogram = new Histogram();
  for (const { histogram: counts } of seen) histogram.addAll(counts);
  const sum = (of: (one: (typeof seen)[number]) => number): number => seen.reduce((total, one) => total + of(one), 0);
  return {
    ...summed(phase, { before, after, perSecond: sum(({ done, warmMs }) => (done * 1000) / warmMs) }),
    p50_ms: rounded(histogram.quantile(0.5)),
    p99_ms: rounded(histogram.quantile(0.99)),
    refused: sum(({ refused }) => refused),
    unknown: sum(({ unknown }) => unknown),
    ...disk,
    other_busy_cores: otherCores,
  };
}

function shareOf({ pace, callersIn }: Phase, position: number): Pace {
  if ('perSecond' in pace) return { perSecond: pace.perSecond / callersIn.length };
  const least = Math.floor(pace.inFlight / callersIn.length);
  return { inFlight: least + (position < pace.inFlight % callersIn.length ? 1 : 0) };
}

function usagesOf(children: readonly Child[]): Promise<Usage[]> {
  return Promise.all(children.map((child) => child.usage()));
}

function summed(
  phase: Phase,
  of: { readonly before: readonly Usage[]; readonly after: readonly Usage[]; readonly perSecond: number },
): Pick<PhaseResult, 'per_second' | 'cpu_microseconds' | 'per_entry' | 'per_leader_sync'> {
  const change = (at: number, field: 'atMs' | 'cpuMicros' | 'transactions' | 'lastIndex' | 'syncs'): number =>
    (of.after[at]?.[field] ?? 0) - (of.before[at]?.[field] ?? 0);
  const done = phase.what === 'writes' ? change(0, 'transactions') : (of.perSecond * change(0, 'atMs')) / 1000;
  const cpu = phase.children.map((_, at) => change(at, 'cpuMicros') / Math.max(1, done));
  const followers = cpu.slice(1);
  const mean = followers.reduce((total, one) => total + one, 0) / Math.max(1, followers.length);
  return {
    per_second: Math.round((done * 1000) / change(0, 'atMs')),
    cpu_microseconds: { leader: oneDecimal(cpu[0] ?? 0), follower: oneDecimal(mean) },
    per_entry: ratio(done, change(0, 'lastIndex'), phase),
    per_leader_sync: ratio(done, change(0, 'syncs'), phase),
  };
}

function ratio(done: number, by: number, { what }: Phase): number {
  return what === 'writes' && by > 0 ? oneDecimal(done / by) : 0;
}

export function oneDecimal(value: number): number {
  return Math.round(value * 10) / 10;
}
