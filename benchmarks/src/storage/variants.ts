import { mkdirSync } from 'node:fs';
import { NodeId } from '@lockstep/contract/ids';
import { defaultLayout, type LogLayout, openLevelLog } from '@lockstep/core/log/level-log';
import type { LogStore } from '@lockstep/core/log/log-store';
import { AppendLog } from './append-log.ts';

const MiB = 1024 * 1024;

/** What LevelDB does when nobody says otherwise, and what one writes first: a record for each entry. */
export const naiveName = 'a record for each entry, LevelDB as it comes';
export const defaultName = 'the default: a record for each write';

const naive: LogLayout = {
  recordEntriesMax: 1,
  giveBackBytesMin: Number.POSITIVE_INFINITY,
  compression: true,
  writeBufferBytes: 4 * MiB,
  blockCacheBytes: 8 * MiB,
  blockBytes: 4096,
};

const layouts: { readonly [name: string]: LogLayout } = {
  [naiveName]: naive,
  'a record for each entry, otherwise the default': { ...defaultLayout, recordEntriesMax: 1 },
  'a record for each write, LevelDB as it comes': { ...naive, recordEntriesMax: defaultLayout.recordEntriesMax },
  [defaultName]: defaultLayout,
  'the default with a write buffer of 4 MiB': { ...defaultLayout, writeBufferBytes: 4 * MiB },
  'the default with a write buffer of 128 MiB': { ...defaultLayout, writeBufferBytes: 128 * MiB },
  'the default with blocks of 64 KiB': { ...defaultLayout, blockBytes: 64 * 1024 },
  'the default with a cache of 64 MiB': { ...defaultLayout, blockCacheBytes: 64 * MiB },
  'the default with compression': { ...defaultLayout, compression: true },
};

export interface Variant {
  readonly name: string;
  readonly open: (directory: string) => Promise<LogStore>;
}

export const variants: readonly Variant[] = [
  ...Object.entries(layouts).map(([name, layout]) => ({ name, open: (path: string) => openLevel(path, layout) })),
  {
    name: 'no LevelDB: files that are only appended to',
    open: async (directory) => {
      mkdirSync(directory, { recursive: true });
      return await Promise.resolve(new AppendLog(directory));
    },
  },
];

async function openLevel(directory: string, layout: LogLayout): Promise<LogStore> {
  const membership = { voters: [NodeId(1)], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const { store } = await openLevelLog({
    directory,
    clusterId: 'bench',
    node: NodeId(1),
    format: { incarnation: 1, membership },
    onFatal: (error) => {
      throw error;
    },
    layout,
  });
  return store;
}
