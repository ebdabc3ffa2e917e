import type { LogIndex } from '@lockstep/contract/ids';
import type { Entry, Message } from '../raft/types.ts';
import type { FrameReader } from './frame-reader.ts';
import type { FrameWriter } from './frame-writer.ts';
import { appendEntriesMax } from './limits.ts';
import { unpinned } from './unpinned.ts';

/* Appends, as peer-codec.ts describes them. */

const entryTypes = ['noop', 'transactions', 'membership', 'control'] as const satisfies readonly Entry['type'][];

export function writeAppend(writer: FrameWriter, message: Extract<Message, { type: 'append' }>): void {
  writer.u53('previous index', message.prevIndex);
  writer.u53('previous term', message.prevTerm);
  writer.u53('commit', message.commit);
  writer.count('entries', message.entries.length, appendEntriesMax);
  let index: number = message.prevIndex;
  for (const entry of message.entries) {
    index++;
    if (entry.index !== index) throw new Error(`invariant broken: entry ${entry.index} sent in the place of ${index}`);
    writer.u8(entryTypes.indexOf(entry.type));
    writer.u53('entry term', entry.term);
    writer.blob(entry.data);
  }
}

export function readAppend(reader: FrameReader, head: Pick<Message, 'from' | 'to' | 'term'>): Message {
  const prevIndex = reader.index('previous index');
  const prevTerm = reader.term('previous term');
  const commit = reader.index('commit');
  const count = reader.count('entries', appendEntriesMax);
  const start = reader.offset;
  const entries: Entry[] = [];
  for (let i = 1; i <= count; i++) entries.push(readEntry(reader, reader.indexAfter(prevIndex, i)));
  return { ...head, type: 'append', prevIndex, prevTerm, commit, entries: unpinned(reader, start, entries) };
}

function readEntry(reader: FrameReader, index: LogIndex): Entry {
  const type = reader.oneOf('entry type', entryTypes, 0);
  return { index, term: reader.term('entry term'), type, data: reader.blob('entry data') };
}
