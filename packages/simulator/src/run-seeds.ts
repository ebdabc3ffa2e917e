import { progressMs } from './limits.ts';
import { LongRun } from './long-run.ts';
import { machine } from './machine-measured-on.ts';
import { type Options, repeatOf } from './options.ts';
import { simulateSeeds } from './seeds.ts';
import { noTotals, type Totals, withResult } from './totals.ts';
import type { SimulationResult } from './simulate.ts';

type Say = (line: string) => void;

/** Simulates many seeds, and tells what they came to. Answers the exit code. */
export async function runSeeds(options: Options, say: Say): Promise<number> {
  const { json, seed, seeds, resume } = options;
  const startMs = performance.now();
  const sinceMs = (): number => performance.now() - startMs;
  const run = resume === undefined ? undefined : new LongRun(resume, planOf(options), sinceMs);
  const left = run?.left() ?? countUp(seed, seed + seeds);
  let totals = run?.record.totals ?? noTotals;
  const isStopped = stopOnSignal();
  let saidMs = 0;
  const onResult = (result: SimulationResult): boolean => {
    totals = withResult(totals, result);
    run?.done(result);
    if (!json) sayFailure(options, result, say);
    if (sinceMs() - saidMs > progressMs) {
      saidMs = sinceMs();
      run?.save();
      if (!json) say(`${doneIn(totals)} of ${seeds} seeds, ${seconds(totals)} simulated s`);
    }
    return !isStopped();
  };
  await simulateSeeds({ ...options, left, onResult });
  run?.save();
  const elapsedS = run?.record.elapsedS ?? sinceMs() / 1000;
  if (json)
    say(
      JSON.stringify({
        ...whereOf(options),
        ...planOf(options),
        ...totals,
        elapsedS,
        speed: speedOf(totals, elapsedS),
      }),
    );
  else sayTotals(totals, elapsedS, say);
  if (doneIn(totals) < seeds && !json) say(`stopped after ${doneIn(totals)} of ${seeds} seeds`);
  return totals.failed.length === 0 && doneIn(totals) === seeds ? 0 : 1;
}

function planOf({ seed, seeds, seconds: each, nodes }: Options): Pick<Options, 'seed' | 'seeds' | 'seconds' | 'nodes'> {
  return { seed, seeds, seconds: each, nodes };
}

/** How the figures are had again, and what they were measured on. */
function whereOf({ seed, seeds, seconds: each, nodes, threads }: Options): Readonly<Record<string, string | number>> {
  const command = `npm run simulate -- --seed ${seed} --seeds ${seeds} --seconds ${each}`;
  return { command: nodes === undefined ? command : `${command} --nodes ${nodes}`, ...machine(), threads };
}

function* countUp(from: number, until: number): Generator<number> {
  for (let at = from; at < until; at++) yield at;
}

/** The first Ctrl-C or SIGTERM lets the seeds that are under way come to their end; the second ends the process. */
function stopOnSignal(): () => boolean {
  let isStopped = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => (isStopped = true));
  return () => isStopped;
}

function doneIn({ passed, failed }: Totals): number {
  return passed + failed.length;
}

function seconds({ simulatedMs }: Totals): number {
  return Math.round(simulatedMs / 1000);
}

function speedOf(totals: Totals, elapsedS: number): number {
  return Math.round(totals.simulatedMs / 1000 / elapsedS);
}

function sayFailure(options: Options, { seed, failure, nodes }: SimulationResult, say: Say): void {
  if (failure === undefined) return;
  say(`FAILED seed ${seed} (${nodes} nodes) after ${(failure.atMs / 1000).toFixed(3)} s`);
  say(`  broken: ${failure.rule}`);
  say(`  ${failure.message}`);
  say(`  repeat: ${repeatOf({ ...options, seed })}`);
  say(`  shrink: ${repeatOf({ ...options, seed }, '--minimise')}`);
}

function sayTotals(totals: Totals, elapsedS: number, say: Say): void {
  const { committed, elections, crashes, snapshotsInstalled, membershipChanges, passed, failed } = totals;
  say(
    `${committed} entries committed, ${elections} elections, ${crashes} crashes, ${snapshotsInstalled} snapshots installed`,
  );
  say(
    `${membershipChanges} changes of membership, ${totals.writesApplied} writes acknowledged, ${totals.writesUnknown} unknown, ${totals.reads} reads`,
  );
  say(
    `${seconds(totals)} simulated s in ${elapsedS.toFixed(1)} s: ${speedOf(totals, elapsedS)} simulated seconds a second`,
  );
  say(`${passed} passed, ${failed.length} failed`);
}
