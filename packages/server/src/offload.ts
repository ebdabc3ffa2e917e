import { Worker } from 'node:worker_threads';
import { LockstepError } from '@lockstep/contract/errors';
import { offloadQueueMax, offloadWorkersMax } from './limits.ts';

interface Job {
  readonly module: string;
  readonly exportName: string;
  readonly argument: unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export type OffloadAnswer = { readonly result: unknown } | { readonly error: string };

/**
 * Runs heavy work as synchronous calls in worker threads, so that neither the event loop nor the log's fsync (which shares
 * Node's thread pool with asynchronous crypto) waits for it. Bounded: a full queue refuses with `rate-limited`.
 */
export class Offload {
  readonly #queue: Job[] = [];
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Job>();

  get waitingCount(): number {
    return this.#queue.length;
  }

  run<R>(work: { readonly module: URL; readonly exportName: string; readonly argument: unknown }): Promise<R> {
    if (this.#queue.length >= offloadQueueMax) {
      return Promise.reject(
        new LockstepError(
          'rate-limited',
          `more than ${offloadQueueMax} key generations are waiting; try again shortly`,
        ),
      );
    }
    return new Promise<R>((resolve, reject) => {
      const settle = resolve as (result: unknown) => void;
      this.#queue.push({
        module: work.module.href,
        exportName: work.exportName,
        argument: work.argument,
        resolve: settle,
        reject,
      });
      this.#next();
    });
  }

  #next(): void {
    if (this.#queue.length === 0) return;
    const worker = this.#idle.pop() ?? (this.#busy.size < offloadWorkersMax ? this.#start() : undefined);
    if (worker === undefined) return;
    const job = this.#queue.shift();
    if (job === undefined) return;
    this.#busy.set(worker, job);
    worker.ref();
    worker.postMessage({ module: job.module, exportName: job.exportName, argument: job.argument });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./offload-worker.ts', import.meta.url));
    worker.on('message', (answer: OffloadAnswer) => {
      const job = this.#busy.get(worker);
      this.#busy.delete(worker);
      this.#idle.push(worker);
      worker.unref();
      if ('error' in answer) job?.reject(new Error(answer.error));
      else job?.resolve(answer.result);
      this.#next();
    });
    worker.on('error', (error) => {
      const job = this.#busy.get(worker);
      this.#busy.delete(worker);
      const at = this.#idle.indexOf(worker);
      if (at >= 0) this.#idle.splice(at, 1);
      job?.reject(error instanceof Error ? error : new Error(String(error)));
      this.#next();
    });
    return worker;
  }

  async close(): Promise<void> {
    const workers = [...this.#idle, ...this.#busy.keys()];
    this.#idle.length = 0;
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
