/** What the simulated state machine's entries hold. `index` and `term` are the place it was encoded for. */
export interface MachineEntry {
  readonly index: number;
  readonly term: number;
  readonly timeMs: number;
  readonly transactions: readonly Transaction[];
}

/**
 * One attempt of a client's write; `id` is never used twice. `request` is the client's number for the write, the same for every attempt:
 * a client's requests count up, and one that is not later than the last that took effect is a repeat. 0: it is never repeated.
 */
export interface Transaction {
  readonly id: string;
  readonly client: string;
  readonly request: number;
  readonly key: string;
  /** The version that the key must have; undefined: any. */
  readonly expected: number | undefined;
  readonly value: string;
}

export function encodeTransaction({ id, client, request, key, expected, value }: Transaction): Uint8Array {
  return Buffer.from(`${id} ${client} ${request} ${key} ${expected ?? '-'} ${value}`);
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

/** A control entry: the state is replaced by what was saved of it earlier, one write for each key. */
export function encodeRestore(writes: readonly Transaction[]): Uint8Array {
  return Buffer.from(writes.map((write) => Buffer.from(encodeTransaction(write)).toString()).join('\n'));
}

export function decodeRestore(data: Uint8Array): readonly Transaction[] {
  const lines = Buffer.from(data.buffer, data.byteOffset, data.length).toString();
  return lines.split('\n').map(decodeTransaction);
}

export function decodeMachineEntry(data: Uint8Array): MachineEntry {
  const [head = '', ...lines] = Buffer.from(data.buffer, data.byteOffset, data.length).toString().split('\n');
  const [index, term, timeMs] = head.split(' ').map(Number);
  if (index === undefined || term === undefined || timeMs === undefined)
    throw new Error(`entry head "${head}" is cut short`);
  return { index, term, timeMs, transactions: lines.map(decodeTransaction) };
}

function decodeTransaction(line: string): Transaction {
  const [id, client, request, key, expected, value] = line.split(' ');
  if (id === undefined || client === undefined || key === undefined || value === undefined)
    throw new Error(`transaction "${line}" is not one`);
  return {
    id,
    client,
    request: Number(request),
    key,
    expected: expected === '-' ? undefined : Number(expected),
    value,
  };
}
