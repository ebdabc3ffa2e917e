import { statfs } from 'node:fs/promises';
import { FreeSpace } from '@lockstep/core/free-space';
import type { NodeOptions } from '@lockstep/core/node-options';
import type { DiskConfig } from '../config.ts';
import type { Log } from '../log.ts';
import { Ballast } from './ballast.ts';
import { FootprintFile } from './footprint-file.ts';
import { readQuarantine, writeQuarantine } from './quarantine-file.ts';

export interface NodeDiskOptions {
  readonly directory: string;
  /** Those within it that may be file systems of their own. */
  readonly parts: readonly string[];
  readonly config: DiskConfig;
  readonly log: Log;
  readonly setTimer: (ms: number, run: () => void) => () => void;
  /** Bytes that this process may still write in a directory. */
  readonly freeBytes: (directory: string) => Promise<number>;
}

/** What consensus needs to know of this node's disk, and what it wants kept on it. */
export type NodeDisk = Required<Pick<NodeOptions, 'diskSpace' | 'memory' | 'onQuarantine'>> & {
  readonly quarantine: string | undefined;
};

/** Watches the disk that a node's data lies on. What is opened is closed with `opened`. */
export async function openNodeDisk(options: NodeDiskOptions, opened: AsyncDisposableStack): Promise<NodeDisk> {
  const { directory, parts, config, log, setTimer, freeBytes } = options;
  const ballast = new Ballast({ directory, bytes: config.ballastBytes, log });
  opened.defer(() => ballast.close());
  const memory = new FootprintFile(directory, log);
  opened.defer(() => memory.close());
  const space = await FreeSpace.watch({
    directories: [directory, ...parts],
    warnBytes: config.warnFreeBytes,
    stopBytes: config.stopFreeBytes,
    freeBytes,
    clock: { setTimer },
    log: (event, fields) => log.info(event, fields),
    onMeasured: (measured) => ballast.maybeMake(measured),
  });
  opened.defer(() => space.stop());
  return {
    diskSpace: () => space.space,
    memory,
    quarantine: readQuarantine(directory),
    onQuarantine: (why) => writeQuarantine(directory, why),
  };
}

/** As the file system says. */
export async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
