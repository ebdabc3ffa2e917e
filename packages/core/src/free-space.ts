import { diskLevelRise, exhaustedShare, freeSpaceCheckMs } from './limits.ts';
import type { DiskLevel } from './peers/node-report.ts';
import type { Clock } from './timings.ts';

/** What is free where the node's data lies. */
export interface DiskSpace {
  readonly level: DiskLevel;
  readonly freeBytes: number;
  /** Below it: `low`. */
  readonly warnBytes: number;
  /** Below it: `full`. */
  readonly stopBytes: number;
}

export interface FreeSpaceOptions {
  /** On one disk or on several: the one with the least counts. */
  readonly directories: readonly string[];
  readonly warnBytes: number;
  readonly stopBytes: number;
  /** Bytes that this process may still write there; `fs.statfs` in a real node. */
  readonly freeBytes: (directory: string) => Promise<number>;
  readonly clock: Pick<Clock, 'setTimer'>;
  readonly log: (event: string, fields: Readonly<Record<string, string | number>>) => void;
  /** After each measurement. */
  readonly onMeasured?: (space: DiskSpace) => void;
}

/**
 * Measures the free space each second. A level that has fallen rises again only when a good deal more is free than its bound says,
 * so that a file that comes and goes does not turn writes off and on.
 */
export class FreeSpace {
  readonly #options: FreeSpaceOptions;
  #space: DiskSpace;
  #cancelTimer: () => void = () => undefined;
  #isStopped = false;
  #hasFailed = false;

  private constructor(options: FreeSpaceOptions) {
    const { warnBytes, stopBytes } = options;
    this.#options = options;
    this.#space = { level: 'ok', freeBytes: Number.MAX_SAFE_INTEGER, warnBytes, stopBytes };
  }

  /** Measures once before it resolves. */
  static async watch(options: FreeSpaceOptions): Promise<FreeSpace> {
    const watching = new FreeSpace(options);
    await watching.#measure();
    return watching;
  }

  /** As it was measured last. */
  get space(): DiskSpace {
    return this.#space;
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
  }

  async #measure(): Promise<void> {
    const { directories, freeBytes, clock, log } = this.#options;
    try {
      const free = await Promise.all(directories.map((directory) => freeBytes(directory)));
      this.#measured(Math.min(...free));
      this.#hasFailed = false;
    } catch (cause) {
      // The last figure stands: a disk that can't even be asked shows itself at the next write.
      if (!this.#hasFailed)
        log('disk-space-unknown', { reason: cause instanceof Error ? cause.message : String(cause) });
      this.#hasFailed = true;
    }
    if (!this.#isStopped) this.#cancelTimer = clock.setTimer(freeSpaceCheckMs, () => void this.#measure());
  }

  #measured(freeBytes: number): void {
    const { level: before, warnBytes, stopBytes } = this.#space;
    const level = nextLevel(before, freeBytes, { warnBytes, stopBytes });
    this.#space = { level, freeBytes, warnBytes, stopBytes };
    if (level !== before) this.#options.log('disk-space', { disk: level, freeBytes, warnBytes, stopBytes });
    this.#options.onMeasured?.(this.#space);
  }
}

type Marks = Pick<DiskSpace, 'warnBytes' | 'stopBytes'>;

function nextLevel(before: DiskLevel, freeBytes: number, marks: Marks): DiskLevel {
  const fallen = levelOf(freeBytes, marks);
  if (severity[fallen] > severity[before]) return fallen;
  const risen = levelOf(freeBytes / diskLevelRise, marks);
  return severity[risen] < severity[before] ? risen : before;
}

function levelOf(freeBytes: number, { warnBytes, stopBytes }: Marks): DiskLevel {
  if (freeBytes < stopBytes * exhaustedShare) return 'exhausted';
  if (freeBytes < stopBytes) return 'full';
  return freeBytes < warnBytes ? 'low' : 'ok';
}

const severity: { readonly [level in DiskLevel]: number } = { ok: 0, low: 1, full: 2, exhausted: 3 };
