import { hashBytes, hashNumbers } from './hashing.ts';
import { decodeMachineEntry, type Transaction } from './machine-entry.ts';

/** The replicated state of a simulated cluster: values by key, and a hash over all that was ever applied, in order. */
export interface KeyValue {
  values: Map<string, string>;
  index: number;
  timeMs: number;
  hash: number;
}

/** Values are cut to their newest characters, so that a long run stays small. */
const valueLengthMax = 60;

export function emptyKeyValue(): KeyValue {
  return { values: new Map(), index: 0, timeMs: 0, hash: 0 };
}

export function copyOf(state: KeyValue): KeyValue {
  return { ...state, values: new Map(state.values) };
}

export interface Applicable {
  readonly index: number;
  readonly term: number;
  readonly type: string;
  readonly data: Uint8Array;
}

/** Folds one entry into the state, as every node must: it depends on nothing else. Returns its transactions. */
export function applyTo(state: KeyValue, entry: Applicable): readonly Transaction[] {
  if (entry.index !== state.index + 1) throw new Error(`entry ${entry.index} applied to a state at ${state.index}`);
  state.index = entry.index;
  state.hash = hashNumbers(state.hash, entry.index, entry.term, hashBytes(entry.data));
  if (entry.type !== 'transactions') return [];
  const { index, term, timeMs, transactions } = decodeMachineEntry(entry.data);
  if (index !== entry.index || term !== entry.term) {
    throw new Error(`entry ${entry.term}/${entry.index} was sealed for ${term}/${index}`);
  }
  if (timeMs < state.timeMs) throw new Error(`log time went back from ${state.timeMs} to ${timeMs} at entry ${index}`);
  state.timeMs = timeMs;
  for (const { kind, key, value } of transactions) {
    const before = state.values.get(key);
    state.values.set(key, kind === 'set' || before === undefined ? value : `${before},${value}`.slice(-valueLengthMax));
  }
  return transactions;
}

export function encodeKeyValue(state: KeyValue): Uint8Array {
  return Buffer.from(JSON.stringify({ ...state, values: [...state.values] }));
}

/** Undefined for bytes that are cut short. */
export function decodeKeyValue(bytes: Uint8Array): KeyValue | undefined {
  const text = Buffer.from(bytes).toString();
  if (!text.endsWith('}')) return undefined;
  const { values, ...rest } = JSON.parse(text) as Omit<KeyValue, 'values'> & { values: [string, string][] };
  return { ...rest, values: new Map(values) };
}
