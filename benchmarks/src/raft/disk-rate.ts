import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { rounded } from '../latencies.ts';
import { Histogram } from '../histogram.ts';

const blockBytes = 4096;

export interface DiskRate {
  readonly fdatasync_per_second: number;
  readonly fdatasync_p50_ms: number;
  readonly fdatasync_p99_ms: number;
}

/** What this disk does now: 4 KiB appended and fdatasynced, one after the other, for so long. */
export function diskRate(directory: string, ms: number): DiskRate {
  const path = join(directory, 'disk-rate');
  const file = openSync(path, 'a', 0o600);
  const histogram = new Histogram();
  const block = Buffer.alloc(blockBytes, 0x5a);
  const startedMs = performance.now();
  let nowMs = startedMs;
  while (nowMs - startedMs < ms) {
    writeSync(file, block);
    fdatasyncSync(file);
    const endedMs = performance.now();
    histogram.add(endedMs - nowMs);
    nowMs = endedMs;
  }
  closeSync(file);
  rmSync(path);
  return {
    fdatasync_per_second: Math.round((histogram.count * 1000) / (nowMs - startedMs)),
    fdatasync_p50_ms: rounded(histogram.quantile(0.5)),
    fdatasync_p99_ms: rounded(histogram.quantile(0.99)),
  };
}
