import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { atEnd } from '../at-end.ts';

/** A file system of its own for a node's data, which can be filled without filling anybody else's. */
export interface SmallDisk {
  /** Leaves at most so many bytes free. */
  readonly fill: (leaveBytes: number) => void;
  readonly freeBytes: () => number;
  readonly free: () => void;
  readonly unmount: () => void;
}

/** Twice the space below which a node warns. Memory is only taken for what is written. */
const diskBytes = 2 * 1024 * 1024 * 1024;
const fillingName = 'filling';

/** Mounts a tmpfs; undefined where this process may not. */
export function mountSmallDisk(folder: string): SmallDisk | undefined {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes},mode=700`, 'lockstep-chaos', folder]);
  if (mounted.status !== 0) return undefined;
  const unmount = (): void => void spawnSync('umount', ['--lazy', folder]);
  const forget = atEnd(unmount);
  const filling = join(folder, fillingName);
  const freeBytes = (): number => {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  };
  return {
    freeBytes,
    fill: (leaveBytes) => {
      const bytes = Math.max(1, freeBytes() - leaveBytes);
      const filled = spawnSync('fallocate', ['--length', String(bytes), filling], { encoding: 'utf8' });
      if (filled.status !== 0) throw new Error(`fallocate: ${filled.error?.message ?? filled.stderr}`);
    },
    free: () => rmSync(filling, { force: true }),
    unmount: () => {
      forget();
      unmount();
    },
  };
}
