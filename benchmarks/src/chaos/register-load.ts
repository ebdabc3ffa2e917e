import type { Client, Outcome } from '@lockstep/client/client';
import { checkLinearizable, type HistoryOperation } from '@lockstep/simulator/linearizability';
import { type RegisterOperation, versionedRegister } from '@lockstep/simulator/versioned-register';
import { checkStepsMax, operationsPerKeyMax, registersAtOnce } from './limits.ts';
import { pick } from './wait.ts';

export interface RegisterCounts {
  reads: number;
  writes: number;
  checkAndSets: number;
  mismatches: number;
  /** Writes that were sent more than once under one key. */
  repeats: number;
  refused: number;
  unknown: number;
}

interface Register {
  readonly path: string;
  readonly history: HistoryOperation<RegisterOperation>[];
  /** Under way or done. */
  begun: number;
}

/**
 * Registers over KV: secrets with versions, read, written and checked-and-set by all clients at once. Each lives for so many
 * operations, since what is unknown about one stays open for ever.
 */
export class RegisterLoad {
  readonly counts: RegisterCounts = {
    reads: 0,
    writes: 0,
    checkAndSets: 0,
    mismatches: 0,
    repeats: 0,
    refused: 0,
    unknown: 0,
  };
  readonly #random: () => number;
  readonly #all: Register[] = [];
  readonly #violations: string[] = [];
  #live: Register[] = [];
  #values = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** One write, sent by each client in turn under one idempotency key: it must be done once, and answered alike. */
  async repeated(clients: readonly Client[]): Promise<boolean> {
    const register = this.#register();
    const value = `v${this.#values++}`;
    const calledAt = performance.now();
    let returnedAt: number | undefined;
    let version: number | undefined;
    let isKnown = true;
    for (const client of clients) {
      const outcome = await client.request('write', register.path, { data: { value } }, { idempotencyKey: value });
      if (outcome.kind === 'unknown') isKnown = false;
      if (outcome.kind !== 'applied') continue;
      const answered = Number(outcome.data['version']);
      if (version !== undefined && answered !== version)
        this.#violations.push(`${register.path}: one key was answered with versions ${version} and ${answered}`);
      version ??= answered;
      returnedAt ??= performance.now();
    }
    if (version === undefined) this.counts[isKnown ? 'refused' : 'unknown']++;
    else this.counts.repeats++;
    if (version !== undefined || !isKnown)
      register.history.push({ calledAt, returnedAt, operation: { kind: 'write', value, version } });
    return version !== undefined;
  }

  /** One operation. */
  async once(client: Client): Promise<boolean> {
    const register = this.#register();
    const drawn = this.#random();
    if (drawn < 0.45) return await this.#read(client, register);
    return await this.#write(client, register, { checks: drawn < 0.75 });
  }

  /** Reads every register through a client, as the last word of its history. */
  async readAll(client: Client, readersMax: number): Promise<number> {
    const waiting = this.#all.values();
    let unread = 0;
    const reader = async (): Promise<void> => {
      for (const register of waiting) if (!(await this.#read(client, register))) unread++;
    };
    await Promise.all(Array.from({ length: readersMax }, reader));
    return unread;
  }

  /** What no order of operations explains, in words; and how many operations were checked. */
  check(): { readonly operations: number; readonly overlapping: number; readonly violations: readonly string[] } {
    const violations = [...this.#violations];
    let operations = 0;
    let overlapping = 0;
    for (const { path, history } of this.#all) {
      operations += history.length;
      overlapping += history.filter(({ returnedAt }) => returnedAt === undefined).length;
      const verdict = checkLinearizable(history, versionedRegister, checkStepsMax);
      if (verdict.kind === 'violation')
        violations.push(`${path} is not linearizable: ${JSON.stringify(verdict.stuckAt)} has no place`);
      // A check that was given up proves nothing, and must not pass for one that did.
      if (verdict.kind === 'undecided') violations.push(`${path} could not be checked in ${checkStepsMax} steps`);
    }
    return { operations, overlapping, violations };
  }

  /** The history of the registers that a violation names, for the report. */
  historyOf(path: string): readonly HistoryOperation<RegisterOperation>[] {
    return this.#all.find((register) => register.path === path)?.history ?? [];
  }

  #register(): Register {
    this.#live = this.#live.filter(({ begun }) => begun < operationsPerKeyMax);
    while (this.#live.length < registersAtOnce) {
      const register: Register = { path: `secret/data/register/${this.#all.length}`, history: [], begun: 0 };
      this.#all.push(register);
      this.#live.push(register);
    }
    const picked = pick(this.#live, this.#random);
    picked.begun++;
    return picked;
  }

  async #read(client: Client, { path, history }: Register): Promise<boolean> {
    const calledAt = performance.now();
    const outcome = await client.request('read', path);
    const found = foundIn(outcome);
    // A read that was not answered says nothing.
    if (found === undefined) {
      this.counts.refused++;
      return false;
    }
    this.counts.reads++;
    history.push({ calledAt, returnedAt: performance.now(), operation: { kind: 'read', ...found } });
    return true;
  }

  async #write(
    client: Client,
    { path, history }: Register,
    { checks }: { readonly checks: boolean },
  ): Promise<boolean> {
    const value = `v${this.#values++}`;
    const expected = checks ? newestIn(history) : undefined;
    const options = expected === undefined ? {} : { options: { cas: expected } };
    const calledAt = performance.now();
    const outcome = await client.request('write', path, { data: { value }, ...options });
    const returnedAt = performance.now();
    const written = (version: number | undefined): RegisterOperation =>
      expected === undefined ? { kind: 'write', value, version } : { kind: 'check-and-set', expected, value, version };
    switch (outcome.kind) {
      case 'applied':
        this.counts[expected === undefined ? 'writes' : 'checkAndSets']++;
        history.push({ calledAt, returnedAt, operation: written(Number(outcome.data['version'])) });
        return true;
      case 'unknown':
        this.counts.unknown++;
        history.push({ calledAt, returnedAt: undefined, operation: written(undefined) });
        return false;
      case 'refused':
        if (expected !== undefined && outcome.code === 'failed-precondition') {
          this.counts.mismatches++;
          history.push({ calledAt, returnedAt, operation: { kind: 'mismatch', expected } });
          return true;
        }
        // It was certainly not done: a history without it must be explained.
        this.counts.refused++;
        return false;
      default:
        return outcome satisfies never;
    }
  }
}

/** The newest version that anybody has been told of: most check-and-sets should have a chance. */
function newestIn(history: readonly HistoryOperation<RegisterOperation>[]): number {
  const last = history.findLast(({ operation }) => operation.kind !== 'mismatch' && operation.version !== undefined);
  return last === undefined || last.operation.kind === 'mismatch' ? 0 : (last.operation.version ?? 0);
}

function foundIn(outcome: Outcome): { readonly version: number; readonly value: string } | undefined {
  if (outcome.kind === 'refused' && outcome.code === 'not-found') return { version: 0, value: '' };
  if (outcome.kind !== 'applied') return undefined;
  const { data, metadata } = outcome.data;
  if (!isObject(data) || !isObject(metadata)) throw new Error(`a secret came as ${JSON.stringify(outcome.data)}`);
  return { version: Number(metadata['version']), value: String(data['value']) };
}

function isObject(value: unknown): value is { readonly [name: string]: number | string } {
  return typeof value === 'object' && value !== null;
}
