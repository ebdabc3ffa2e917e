import { readFileSync, statSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isObject } from '@lockstep/contract/fields';
import { NodeId } from '@lockstep/contract/ids';
import type { Footprint, PeerMemory } from '@lockstep/core/member-reports';
import { faultFields, type Log } from '../log.ts';
import { footprintsBytesMax, footprintsEveryMs } from './limits.ts';

export const footprintsName = 'FOOTPRINTS';

/**
 * What the other nodes have said that they hold, in a file beside the log: so that one whose disk was rolled back is recognised
 * though this node was restarted meanwhile. A file that is gone or can't be read is begun anew.
 */
export class FootprintFile implements PeerMemory {
  readonly footprints: ReadonlyMap<NodeId, Footprint>;
  readonly #path: string;
  readonly #log: Log;
  readonly #newest: Map<NodeId, Footprint>;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> | undefined;

  constructor(directory: string, log: Log) {
    this.#path = join(directory, footprintsName);
    this.#log = log;
    this.footprints = readFootprints(this.#path, log);
    this.#newest = new Map(this.footprints);
  }

  remember(node: NodeId, footprint: Footprint): void {
    this.#newest.set(node, footprint);
    this.#timer ??= setTimeout(() => this.#write(), footprintsEveryMs).unref();
  }

  /** Writes what is not written yet. */
  async close(): Promise<void> {
    if (this.#timer !== undefined) this.#write();
    await this.#writing;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = JSON.stringify(Object.fromEntries(this.#newest));
    this.#writing = (this.#writing ?? Promise.resolve())
      .then(() => replaceFile(this.#path, text))
      // What it is for can wait: a disk that fails shows itself where it matters.
      .catch((cause: unknown) => this.#log.error('footprints-failed', faultFields(cause)));
  }
}

function readFootprints(path: string, log: Log): ReadonlyMap<NodeId, Footprint> {
  const footprints = new Map<NodeId, Footprint>();
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return footprints;
    if (found.size > footprintsBytesMax) throw new Error(`${path} has ${found.size} bytes`);
    const rows: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (!isObject(rows)) throw new Error(`${path} is no object`);
    for (const [node, row] of Object.entries(rows)) footprints.set(NodeId(Number(node)), footprintOf(row, path));
    return footprints;
  } catch (cause) {
    log.error('footprints-unreadable', faultFields(cause));
    return new Map();
  }
}

function footprintOf(row: unknown, path: string): Footprint {
  const isCount = (value: unknown): value is number =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
  if (!isObject(row) || !isCount(row['term']) || !isCount(row['floor']))
    throw new Error(`${path} has a row that is none`);
  return { term: row['term'], floor: row['floor'] };
}

/** Whole or not at all. */
async function replaceFile(path: string, text: string): Promise<void> {
  const unfinished = `${path}.new`;
  const file = await open(unfinished, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
}
