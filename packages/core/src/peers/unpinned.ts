import type { Entry } from '../raft/types.ts';
import type { FrameReader } from './frame-reader.ts';
import { pinnedShareMin } from './limits.ts';

/** One copy of the whole run of entries, and not one each, where they fill too little of the memory that they keep alive. */
export function unpinned(reader: FrameReader, start: number, entries: readonly Entry[]): readonly Entry[] {
  const { frame, offset } = reader;
  if (entries.length === 0 || offset - start >= frame.buffer.byteLength * pinnedShareMin) return entries;
  const copy = frame.slice(start, offset);
  const base = frame.byteOffset + start;
  return entries.map((entry) => {
    const from = entry.data.byteOffset - base;
    return { ...entry, data: copy.subarray(from, from + entry.data.length) };
  });
}
