import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Applied, ClientOptions, Operation, Outcome, Refused, RequestOptions } from './client.ts';
import { attemptMsMin, attemptsMaxDefault, deadlineMsDefault, pauseMsFirst, pauseMsLast } from './limits.ts';

/** What came of one try at one address. */
export type Attempt<Data> =
  | Applied<Data>
  | Refused
  /** `internal` when the server says that it failed; otherwise no answer came. */
  | { readonly kind: 'unknown'; readonly code?: 'internal' | 'outcome-unknown'; readonly message: string }
  /** No connection: this address certainly did nothing. */
  | { readonly kind: 'not-sent'; readonly message: string };

/** What each try needs to know beyond the request. */
export interface Sending {
  readonly address: number;
  /** Until this try is given up. */
  readonly timeoutMs: number;
  readonly token: string | undefined;
  readonly idempotencyKey: string | undefined;
}

export type Send<Data> = (sending: Sending) => Promise<Attempt<Data>>;

/** Refusals by a node that cannot serve now, where another may, or the same one soon. Nothing was done. */
const passing: ReadonlySet<string> = new Set(['no-leader', 'sealed', 'unavailable', 'contended']);

/** Goes from address to address. Holds which one answered last. */
export class Attempts {
  readonly #addressCount: number;
  readonly #options: ClientOptions;
  #current = 0;

  constructor(options: ClientOptions) {
    if (options.addresses.length === 0) throw new TypeError('a client needs at least one address');
    this.#addressCount = options.addresses.length;
    this.#options = options;
  }

  async run<Data>(operation: Operation, asked: RequestOptions, send: Send<Data>): Promise<Outcome<Data>> {
    const isRead = operation === 'read' || operation === 'list';
    const idempotencyKey = isRead ? undefined : this.#keyFor(asked);
    const isRepeatable = isRead || idempotencyKey !== undefined;
    const attemptsMax = this.#options.attemptsMax ?? attemptsMaxDefault;
    const end = performance.now() + (asked.deadlineMs ?? this.#options.deadlineMs ?? deadlineMsDefault);
    let last: Attempt<Data> = { kind: 'not-sent', message: 'the deadline passed before anything was sent' };
    let lost: string | undefined;
    for (let count = 0; count < attemptsMax; count++) {
      if (count > 0 && count % this.#addressCount === 0 && !(await pauseWithin(count / this.#addressCount, end))) break;
      const leftMs = end - performance.now();
      if (leftMs <= 0) break;
      const address = this.#current;
      // Half of what is left: a node that hangs must not use up the time of those that don't.
      const timeoutMs =
        isRepeatable && this.#addressCount > 1 ? Math.max(leftMs / 2, Math.min(leftMs, attemptMsMin)) : leftMs;
      last = await send({ address, timeoutMs, token: asked.token ?? this.#options.token, idempotencyKey });
      if (last.kind === 'applied') return last;
      if (last.kind === 'unknown') {
        lost = last.message;
        // A server that fails would fail again.
        if (!isRepeatable || last.code === 'internal') break;
      } else if (last.kind === 'refused' && !passing.has(last.code)) break;
      if (this.#current === address) this.#current = (address + 1) % this.#addressCount;
    }
    return conclude(last, isRead ? undefined : lost);
  }

  #keyFor(asked: RequestOptions): string | undefined {
    if (asked.idempotencyKey !== undefined) return asked.idempotencyKey;
    return (asked.idempotencyKeys ?? this.#options.idempotencyKeys) === 'none' ? undefined : randomUUID();
  }
}

/** Once an answer to a write was lost, only `applied` settles it: a later refusal says nothing about the earlier try. */
function conclude<Data>(last: Attempt<Data>, lost: string | undefined): Outcome<Data> {
  if (lost !== undefined) return { kind: 'unknown', message: lost };
  if (last.kind === 'not-sent') return { kind: 'refused', code: 'unavailable', message: last.message };
  if (last.kind === 'unknown') return { kind: 'refused', code: last.code ?? 'unavailable', message: last.message };
  return last;
}

/** Waits before all addresses are tried once more; false when that would be too late. */
async function pauseWithin(round: number, end: number): Promise<boolean> {
  const longest = Math.min(pauseMsFirst * 2 ** (round - 1), pauseMsLast);
  const ms = longest / 2 + randomInt(Math.ceil(longest / 2) + 1);
  if (performance.now() + ms >= end) return false;
  await pause(ms);
  return true;
}
