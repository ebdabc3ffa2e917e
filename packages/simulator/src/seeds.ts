import { Worker } from 'node:worker_threads';
import type { SimulationOptions, SimulationResult } from './simulate.ts';

export interface SeedsOptions {
  readonly first: number;
  readonly count: number;
  readonly seconds: number;
  readonly nodes: number | undefined;
  readonly mutant: string | undefined;
  /** Threads that simulate side by side. A seed's run is the same on any. */
  readonly threads: number;
  /** Sees each result as it comes; false: enough, no further seed is begun. */
  readonly onResult: (result: SimulationResult) => boolean;
}

/** Simulates many seeds. Rejects when a thread itself fails. */
export async function simulateSeeds(options: SeedsOptions): Promise<void> {
  let next = options.first;
  const end = options.first + options.count;
  const take = (): number | undefined => (next < end ? next++ : undefined);
  const threads = Array.from({ length: Math.min(options.threads, options.count) }, () =>
    simulateOnThread(options, take, () => {
      next = end;
    }),
  );
  await Promise.all(threads);
}

function simulateOnThread(options: SeedsOptions, take: () => number | undefined, stop: () => void): Promise<void> {
  const { seconds, nodes, mutant, onResult } = options;
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { mutant } });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const begin = (): void => {
    const seed = take();
    if (seed === undefined) {
      void worker.terminate().then(() => resolve(), reject);
      return;
    }
    const run: SimulationOptions = nodes === undefined ? { seed, seconds } : { seed, seconds, nodes };
    worker.postMessage(run);
  };
  worker.on('message', (result: SimulationResult) => {
    if (!onResult(result)) stop();
    begin();
  });
  worker.on('error', (error) => {
    stop();
    reject(error);
  });
  begin();
  return promise;
}
