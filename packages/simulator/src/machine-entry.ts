/** What the simulated state machine's entries hold. `index` and `term` are the place it was encoded for. */
export interface MachineEntry {
  readonly index: number;
  readonly term: number;
  readonly timeMs: number;
  readonly transactions: readonly Transaction[];
}

/** One client's write: `id` is never used twice. */
export interface Transaction {
  readonly id: string;
  readonly kind: 'set' | 'append';
  readonly key: string;
  readonly value: string;
}

export function encodeTransaction({ id, kind, key, value }: Transaction): Uint8Array {
  return Buffer.from(`${id} ${kind} ${key} ${value}`);
}

export function encodeMachineEntry(
  place: { readonly index: number; readonly term: number },
  timeMs: number,
  transactions: readonly Uint8Array[],
): Uint8Array {
  const lines = [
    `${place.index} ${place.term} ${timeMs}`,
    ...transactions.map((bytes) => Buffer.from(bytes).toString()),
  ];
  return Buffer.from(lines.join('\n'));
}

export function decodeMachineEntry(data: Uint8Array): MachineEntry {
  const [head = '', ...lines] = Buffer.from(data.buffer, data.byteOffset, data.length).toString().split('\n');
  const [index, term, timeMs] = head.split(' ').map(Number);
  if (index === undefined || term === undefined || timeMs === undefined)
    throw new Error(`entry head "${head}" is cut short`);
  return { index, term, timeMs, transactions: lines.map(decodeTransaction) };
}

function decodeTransaction(line: string): Transaction {
  const [id, kind, key, value] = line.split(' ');
  if (id === undefined || key === undefined || value === undefined || (kind !== 'set' && kind !== 'append')) {
    throw new Error(`transaction "${line}" is not one`);
  }
  return { id, kind, key, value };
}
