import { cpus, loadavg, totalmem } from 'node:os';

export interface MachineReport {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly openssl: string;
  /** Processes that wanted a core during the last minute, ours among them: far above `cores`, rates are no measure. */
  readonly loadAverage: number;
}

/** What a figure was measured on. */
export function machineReport(): MachineReport {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    openssl: process.versions.openssl ?? 'unknown',
    loadAverage: Math.round((loadavg()[0] ?? Number.NaN) * 10) / 10,
  };
}
