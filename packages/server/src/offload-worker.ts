// The inside of a worker thread: one synchronous call for each message.
import { parentPort } from 'node:worker_threads';
import type { OffloadAnswer } from './offload.ts';

const port = parentPort;
if (port === null) throw new Error('offload-worker.ts runs only as a worker thread');

port.on('message', (job: { readonly module: string; readonly exportName: string; readonly argument: unknown }) => {
  void answer(job).then((reply) => port.postMessage(reply));
});

async function answer(job: {
  readonly module: string;
  readonly exportName: string;
  readonly argument: unknown;
}): Promise<OffloadAnswer> {
  try {
    const loaded: { readonly [name: string]: (argument: unknown) => unknown } = await import(job.module);
    return { result: await loaded[job.exportName]?.(job.argument) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
