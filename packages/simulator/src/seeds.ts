import { Worker } from 'node:worker_threads';
import type { Simplified } from './simplify.ts';
import type { SimulationOptions, SimulationResult } from './simulate.ts';
import type { WorkerInput } from './worker.ts';

export interface SeedsOptions {
  /** Taken in their order, each once. */
  readonly left: Iterator<number>;
  readonly seconds: number;
  readonly nodes: number | undefined;
  readonly simplified?: Simplified;
  readonly mutant: string | undefined;
  /** Threads that simulate side by side. A seed's run is the same on any. */
  readonly threads: number;
  /** Sees each result as it comes; false: enough, no further seed is begun. */
  readonly onResult: (result: SimulationResult) => boolean;
}

/** Simulates many seeds. Rejects when a thread itself fails. */
export async function simulateSeeds(options: SeedsOptions): Promise<void> {
  let isOver = false;
  const take = (): number | undefined => {
    const next = isOver ? undefined : options.left.next();
    return next === undefined || next.done === true ? undefined : next.value;
  };
  const threads = Array.from({ length: options.threads }, () =>
    simulateOnThread(options, take, () => {
      isOver = true;
    }),
  );
  await Promise.all(threads);
}

function simulateOnThread(options: SeedsOptions, take: () => number | undefined, stop: () => void): Promise<void> {
  const { seconds, nodes, simplified, mutant, onResult } = options;
  const workerData: WorkerInput = { mutant, scenario: undefined };
  const first = take();
  if (first === undefined) return Promise.resolve();
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const begin = (seed: number | undefined): void => {
    if (seed === undefined) {
      void worker.terminate().then(() => resolve(), reject);
      return;
    }
    const run: SimulationOptions = {
      seed,
      seconds,
      ...(nodes === undefined ? {} : { nodes }),
      ...(simplified === undefined ? {} : { simplified }),
    };
    worker.postMessage(run);
  };
  worker.on('message', (result: SimulationResult) => {
    if (!onResult(result)) stop();
    begin(take());
  });
  worker.on('error', (error) => {
    stop();
    reject(error);
  });
  begin(first);
  return promise;
}

/** Plays a scenario in a thread of its own, with a mutant in its source. Resolves to the rule that was broken; undefined for none. */
export function playScenario(scenario: string, mutant: string): Promise<string | undefined> {
  const workerData: WorkerInput = { mutant, scenario };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData });
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  worker.on('message', resolve);
  worker.on('error', reject);
  worker.on('exit', () => reject(new Error(`the thread that played "${scenario}" ended without a word`)));
  return promise;
}
