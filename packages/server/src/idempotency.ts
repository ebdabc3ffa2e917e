import { createHmac } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import type { TimeMs } from '@lockstep/contract/ids';
import type { ReadableState } from '@lockstep/contract/state';
import { bool, type MessageCodec, message, optionalText, text, uint } from '@lockstep/contract/wire';
import type { FactResult } from './apply-transaction.ts';
import { idempotencyKeyLengthMax, rememberedMs } from './limits.ts';
import { hostMount } from './mounts.ts';
import type { EntryWriter } from './state/state-db.ts';
import type { Remembered } from './transaction.ts';

/** As in protos/lockstep/log/v1/state.proto. */
export const rememberedOutcomeWire: MessageCodec<{
  readonly atMs: number;
  readonly results: string;
  readonly reply: string | undefined;
  readonly isFromResult: boolean;
}> = message({
  atMs: uint(1),
  results: text(2),
  reply: optionalText(3),
  isFromResult: bool(4),
});

/** What an earlier request with the same key, token, path and body came to. */
export interface RememberedOutcome {
  readonly results: readonly FactResult[];
  /** JSON of the whole reply; undefined where it held a secret or is the first result. */
  readonly reply: string | undefined;
  readonly isFromResult: boolean;
}

/**
 * The state key for an idempotency key: scoped to token, path and body, so that one key can't answer another request. State keys lie in
 * plain on the disk, and the body may hold a password: without the cluster's secret salt nothing can be tried against the hash.
 */
export function rememberedKey(scope: {
  readonly salt: Uint8Array;
  readonly idempotencyKey: string;
  readonly tokenId: string;
  readonly path: string;
  readonly body: string;
}): string {
  const { idempotencyKey } = scope;
  if (
    idempotencyKey.length === 0 ||
    idempotencyKey.length > idempotencyKeyLengthMax ||
    !/^[\x21-\x7e]+$/.test(idempotencyKey)
  ) {
    throw new LockstepError(
      'invalid-input',
      `the idempotency key must be 1 to ${idempotencyKeyLengthMax} printable ASCII characters`,
    );
  }
  const parts = [idempotencyKey, scope.tokenId, scope.path, scope.body];
  // No token begins so: its own hash under this salt is another.
  const hash = createHmac('sha256', scope.salt).update('once\0');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return `once/${hash.digest('base64url')}`;
}

/** The outcome under a key, if it is still remembered, with the version that a new one must expect. */
export function recallOutcome(
  state: ReadableState,
  key: string,
  now: TimeMs,
): { readonly version: number; readonly outcome: RememberedOutcome | undefined } {
  const bytes = state.get(key);
  if (bytes === undefined) return { version: 0, outcome: undefined };
  const stored = rememberedOutcomeWire.decode(bytes);
  const version = state.version(key);
  if (stored.atMs + rememberedMs <= now) return { version, outcome: undefined };
  const results: FactResult[] = JSON.parse(stored.results).map((result: FactResult | null) => result ?? undefined);
  return { version, outcome: { results, reply: stored.reply, isFromResult: stored.isFromResult } };
}

/** Apply's part: false when another request with the same key came first. */
export function rememberOutcome(
  writer: EntryWriter,
  remembered: Remembered,
  results: readonly FactResult[],
  timeMs: TimeMs,
): boolean {
  if (writer.version(hostMount, remembered.key) !== remembered.supersedesVersion) return false;
  const value = rememberedOutcomeWire.encode({
    atMs: timeMs,
    results: JSON.stringify(results.map((result) => result ?? null)),
    reply: remembered.reply,
    isFromResult: remembered.isFromResult,
  });
  const host = writer.mount(hostMount);
  host.put(remembered.key, value);
  host.put(dueKey(timeMs + rememberedMs, remembered.key), new Uint8Array(0));
  return true;
}

const duePrefix = 'due/';
const dueHeadLength = duePrefix.length + 15 + 1;

/** Orders by time as text: fifteen digits reach the year 33658. */
export function dueKey(timeMs: number, key: string): string {
  return `${duePrefix}${String(timeMs).padStart(15, '0')}/${key}`;
}

/** At most `limit` keys of that index whose outcomes are not recalled any more at `nowMs`. */
export async function overdueOutcomes(state: ReadableState, nowMs: number, limit: number): Promise<readonly string[]> {
  const keys = await state.keys({ prefix: duePrefix, limit });
  return keys.filter((key) => timeOfDue(key) <= nowMs);
}

/** Apply's part: the index key goes, and with it the outcome, unless a later request has taken its place meanwhile. */
export function forgetOutcome(writer: EntryWriter, key: string): void {
  const host = writer.mount(hostMount);
  host.delete(key);
  const outcome = key.slice(dueHeadLength);
  const stored = host.get(outcome);
  if (stored !== undefined && rememberedOutcomeWire.decode(stored).atMs + rememberedMs <= timeOfDue(key))
    host.delete(outcome);
}

function timeOfDue(key: string): number {
  return Number(key.slice(duePrefix.length, dueHeadLength - 1));
}
