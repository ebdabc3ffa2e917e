import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { LockstepError } from '@lockstep/contract/errors';
import { noTotals, type Totals, withResult } from './totals.ts';
import type { SimulationResult } from './simulate.ts';

/** What is asked of a run of many seeds. A run that is taken up again must be asked for the same. */
export interface RunPlan {
  readonly seed: number;
  readonly seeds: number;
  readonly seconds: number;
  readonly nodes: number | undefined;
}

/** As it is written: a run up to `next`, and the seeds after it that are done already. */
export interface RunRecord extends RunPlan {
  readonly next: number;
  readonly doneBeyond: readonly number[];
  readonly elapsedS: number;
  readonly totals: Totals;
}

/** A run of many seeds that is written to a file now and then, so that it can be stopped at any time and taken up again. */
export class LongRun {
  readonly #path: string;
  #record: RunRecord;
  readonly #doneBeyond: Set<number>;
  readonly #sinceMs: () => number;

  /** Takes up what is in the file, or begins it. Refuses a file that is another run, or none. */
  constructor(path: string, plan: RunPlan, sinceMs: () => number) {
    this.#path = path;
    const known = recordIn(path);
    if (known !== undefined) requireSame(path, known, plan);
    this.#record = known ?? { ...plan, next: plan.seed, doneBeyond: [], elapsedS: 0, totals: noTotals };
    this.#doneBeyond = new Set(this.#record.doneBeyond);
    this.#sinceMs = sinceMs;
  }

  get record(): RunRecord {
    const doneBeyond = [...this.#doneBeyond].toSorted((a, b) => a - b);
    return { ...this.#record, doneBeyond, elapsedS: this.#record.elapsedS + this.#sinceMs() / 1000 };
  }

  /** Seeds that are still to be done, in order. */
  *left(): Generator<number> {
    const { seed, seeds, next } = this.#record;
    for (let at = next; at < seed + seeds; at++) if (!this.#doneBeyond.has(at)) yield at;
  }

  done(result: SimulationResult): void {
    this.#doneBeyond.add(result.seed);
    let { next } = this.#record;
    while (this.#doneBeyond.delete(next)) next++;
    this.#record = { ...this.#record, next, totals: withResult(this.#record.totals, result) };
  }

  /** Replaces the file as a whole: a kill at any moment leaves the old or the new one. */
  save(): void {
    writeFileSync(`${this.#path}.new`, `${JSON.stringify(this.record, undefined, 2)}\n`);
    renameSync(`${this.#path}.new`, this.#path);
  }
}

/** Undefined where there is no file. */
export function recordIn(path: string): RunRecord | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new LockstepError('invalid-input', `--resume: "${path}" can't be read`, { cause });
  }
  const record = parsed(text);
  if (record === undefined) throw new LockstepError('invalid-input', `--resume: "${path}" is not the record of a run`);
  return record;
}

function parsed(text: string): RunRecord | undefined {
  try {
    const record: unknown = JSON.parse(text);
    return isRecord(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is RunRecord {
  if (typeof value !== 'object' || value === null) return false;
  const fields: Readonly<Record<string, unknown>> = { ...value };
  const numbers = ['seed', 'seeds', 'seconds', 'next', 'elapsedS'];
  return numbers.every((name) => typeof fields[name] === 'number') && Array.isArray(fields['doneBeyond']);
}

function requireSame(path: string, known: RunPlan, plan: RunPlan): void {
  for (const name of ['seed', 'seeds', 'seconds', 'nodes'] as const) {
    if (known[name] === plan[name]) continue;
    const message = `--resume: "${path}" is a run with --${name} ${known[name] ?? 'drawn'}, asked for is ${plan[name] ?? 'drawn'}`;
    throw new LockstepError('invalid-input', message);
  }
}
