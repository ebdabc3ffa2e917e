import { parentPort, workerData } from 'node:worker_threads';
import { loadMutant, mutantOf } from './load-mutant.ts';
import type { SimulationOptions } from './simulate.ts';

/** One thread that simulates the seeds it is sent, with a mutant or without. */
const { mutant } = workerData as { readonly mutant: string | undefined };
if (mutant !== undefined) loadMutant(mutantOf(mutant));
// Only now, so that the mutant's files are loaded with its mistakes.
const { simulate } = await import('./simulate.ts');
parentPort?.on('message', (options: SimulationOptions) => parentPort?.postMessage(simulate(options)));
