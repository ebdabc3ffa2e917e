import { Latencies } from './latencies.ts';

/** How one request ended, as the client knows it. */
export type LoadOutcome = 'applied' | 'refused' | 'unknown';

export interface LoadResult {
  readonly latencies: Latencies;
  readonly counts: { readonly [outcome in LoadOutcome]: number };
  readonly elapsedMs: number;
  /** The longest time between two acknowledged requests, from the start of the load to its end. */
  readonly longestGapMs: number;
}

export interface LoadOptions {
  readonly concurrency: number;
  /** Sends one request; must not reject. `worker` counts from 0. */
  readonly send: (worker: number) => Promise<LoadOutcome>;
  /** Asked before each request. */
  readonly isOver: (soFar: { readonly applied: number; readonly elapsedMs: number }) => boolean;
}

/** Keeps `concurrency` requests under way, each sent as soon as the one before it has ended (a closed loop), until `isOver`. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const started = performance.now();
  const latencies = new Latencies();
  const counts = { applied: 0, refused: 0, unknown: 0 };
  let lastApplied = started;
  let longestGapMs = 0;
  const work = async (worker: number): Promise<void> => {
    while (!options.isOver({ applied: counts.applied, elapsedMs: performance.now() - started })) {
      const sent = performance.now();
      const outcome = await options.send(worker);
      const now = performance.now();
      counts[outcome] += 1;
      if (outcome !== 'applied') continue;
      latencies.add(now - sent);
      longestGapMs = Math.max(longestGapMs, now - lastApplied);
      lastApplied = now;
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, (_, worker) => work(worker)));
  const ended = performance.now();
  return { latencies, counts, elapsedMs: ended - started, longestGapMs: Math.max(longestGapMs, ended - lastApplied) };
}
