/** Counters in state are eight bytes, big-endian, as `below` expects. */
export function readCounter(value: Uint8Array | undefined): number {
  if (value === undefined) return 0;
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return Number(view.getBigUint64(0));
}

export function counterValue(count: number): Uint8Array {
  if (!Number.isSafeInteger(count) || count < 0)
    throw new RangeError(`a counter must be a safe integer, not negative: ${count}`);
  const value = new Uint8Array(8);
  new DataView(value.buffer).setBigUint64(0, BigInt(count));
  return value;
}
