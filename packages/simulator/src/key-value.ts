import { hashBytes, hashNumbers, hashText } from './hashing.ts';
import { decodeMachineEntry, decodeRestore, type Transaction } from './machine-entry.ts';

/** What one key holds: who wrote it last, and how often it was written. */
export interface Value {
  readonly version: number;
  readonly value: string;
}

/** What became of a write: the version that it made, or that it found another one than it expected. */
export type Outcome = { readonly kind: 'written'; readonly version: number } | { readonly kind: 'mismatch' };

/** The last request of a client that took effect, with what it was answered. */
interface Session {
  readonly request: number;
  readonly outcome: Outcome;
}

/** The replicated state of a simulated cluster: values by key, the clients' sessions, and a hash over all that was ever applied, in order. */
export interface KeyValue {
  values: Map<string, Value>;
  sessions: Map<string, Session>;
  index: number;
  timeMs: number;
  hash: number;
}

export function emptyKeyValue(): KeyValue {
  return { values: new Map(), sessions: new Map(), index: 0, timeMs: 0, hash: 0 };
}

export function copyOf(state: KeyValue): KeyValue {
  return { ...state, values: new Map(state.values), sessions: new Map(state.sessions) };
}

export interface Applicable {
  readonly index: number;
  readonly term: number;
  readonly type: string;
  readonly data: Uint8Array;
}

export interface Applied {
  readonly transaction: Transaction;
  /** Undefined for a request that is older than the client's last: nobody waits for it any more. */
  readonly outcome: Outcome | undefined;
  readonly isRepeat: boolean;
}

/** Folds one entry into the state, as every node must: it depends on nothing else. Returns what became of its transactions. */
export function applyTo(state: KeyValue, entry: Applicable): readonly Applied[] {
  if (entry.index !== state.index + 1) throw new Error(`entry ${entry.index} applied to a state at ${state.index}`);
  state.index = entry.index;
  state.hash = hashNumbers(state.hash, entry.index, entry.term, hashBytes(entry.data));
  // Versions go on and sessions stay: what a client was told before is not forgotten.
  if (entry.type === 'control') return decodeRestore(entry.data).map((write) => run(state, write));
  if (entry.type !== 'transactions') return [];
  const { index, term, timeMs, transactions } = decodeMachineEntry(entry.data);
  if (index !== entry.index || term !== entry.term) {
    throw new Error(`entry ${entry.term}/${entry.index} was sealed for ${term}/${index}`);
  }
  if (timeMs < state.timeMs) throw new Error(`log time went back from ${state.timeMs} to ${timeMs} at entry ${index}`);
  state.timeMs = timeMs;
  return transactions.map((transaction) => run(state, transaction));
}

function run(state: KeyValue, transaction: Transaction): Applied {
  const { client, request } = transaction;
  if (request === 0) return { transaction, outcome: take(state, transaction), isRepeat: false };
  const last = state.sessions.get(client);
  if (last !== undefined && request <= last.request) {
    return { transaction, outcome: request === last.request ? last.outcome : undefined, isRepeat: true };
  }
  const outcome = take(state, transaction);
  state.sessions.set(client, { request, outcome });
  return { transaction, outcome, isRepeat: false };
}

function take(state: KeyValue, { key, expected, value }: Transaction): Outcome {
  const version = (state.values.get(key)?.version ?? 0) + 1;
  if (expected !== undefined && expected !== version - 1) return { kind: 'mismatch' };
  state.values.set(key, { version, value });
  return { kind: 'written', version };
}

/** All that the state holds, whatever the order in which it came. */
export function contentsHash({ values, sessions }: KeyValue): number {
  let hash = 0;
  for (const [key, { version, value }] of values) hash ^= hashNumbers(hashText(key), version, hashText(value));
  for (const [client, { request, outcome }] of sessions)
    hash ^= hashNumbers(hashText(client), request, outcome.kind === 'written' ? outcome.version : -1);
  return hash;
}

export function encodeKeyValue(state: KeyValue): Uint8Array {
  const values = [...state.values];
  const sessions = [...state.sessions];
  return Buffer.from(JSON.stringify({ ...state, values, sessions }));
}

/** Undefined for bytes that are cut short. */
export function decodeKeyValue(bytes: Uint8Array): KeyValue | undefined {
  const text = Buffer.from(bytes).toString();
  if (!text.endsWith('}')) return undefined;
  const { values, sessions, ...rest } = JSON.parse(text) as Omit<KeyValue, 'values' | 'sessions'> & {
    values: [string, Value][];
    sessions: [string, Session][];
  };
  return { ...rest, values: new Map(values), sessions: new Map(sessions) };
}
