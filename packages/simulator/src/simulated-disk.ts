import type { Agenda } from './agenda.ts';

interface Job {
  readonly run: () => void;
  cancel: () => void;
}

/**
 * The disk under a node: each piece of work takes its time, on a slow disk a multiple of it, and on one that stalls until it goes on,
 * however long that is. Work that was begun is not made faster by a crash; it is gone.
 */
export class SimulatedDisk {
  readonly #agenda: Agenda;
  readonly #jobs = new Set<Job>();
  #isStalled = false;
  /** How much slower than usual it is. */
  slowness = 1;

  constructor(agenda: Agenda) {
    this.#agenda = agenda;
  }

  /** Work that takes `ms` of an idle disk. */
  work(ms: number, run: () => void): void {
    const job: Job = { run, cancel: () => undefined };
    this.#jobs.add(job);
    if (!this.#isStalled) this.#begin(job, ms * this.slowness);
  }

  /** Nothing that is under way, or begins, is done before `goOn`. */
  stall(): void {
    this.#isStalled = true;
    for (const job of this.#jobs) job.cancel();
  }

  /** What was held up is done now, in the order in which it came. */
  goOn(): void {
    this.#isStalled = false;
    let ms = 0;
    for (const job of this.#jobs) {
      job.cancel();
      ms += healedWorkMs;
      this.#begin(job, ms);
    }
  }

  /** Fast, and nothing waits any longer. */
  heal(): void {
    this.slowness = 1;
    this.goOn();
  }

  /** The process that asked for the work is gone. */
  forget(): void {
    for (const job of this.#jobs) job.cancel();
    this.#jobs.clear();
  }

  #begin(job: Job, ms: number): void {
    job.cancel = this.#agenda.after(ms, () => {
      this.#jobs.delete(job);
      job.run();
    });
  }
}

/** How long each piece of work that was held up takes once the disk goes on. */
const healedWorkMs = 0.5;
