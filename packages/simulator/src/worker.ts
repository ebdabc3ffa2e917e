import { parentPort, workerData } from 'node:worker_threads';
import { loadMutant, mutantOf } from './load-mutant.ts';
import type { SimulationOptions } from './simulate.ts';
import { Violation } from './violation.ts';

/** One thread that simulates the seeds it is sent, or plays one scenario, with a mutant or without. */
export interface WorkerInput {
  readonly mutant: string | undefined;
  readonly scenario: string | undefined;
}

const { mutant, scenario } = workerData as WorkerInput;
if (mutant !== undefined) loadMutant(mutantOf(mutant));
// The rest is loaded only now, so that the mutant's files are loaded with its mistakes.
if (scenario === undefined) {
  const { simulate } = await import('./simulate.ts');
  parentPort?.on('message', (options: SimulationOptions) => parentPort?.postMessage(simulate(options)));
} else {
  const { scenarios } = await import('./scenarios/leases.ts');
  parentPort?.postMessage(brokenBy(() => scenarios[scenario]?.()));
}

function brokenBy(play: () => void): string | undefined {
  try {
    play();
    return undefined;
  } catch (error) {
    if (error instanceof Error && error.name === Violation.name) return String(Object(error).rule);
    throw error;
  }
}
