import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { OtherLoad } from '../busy-cores.ts';
import { rounded } from '../latencies.ts';
import { machineReport } from '../machine.ts';
import { type DiskRate, diskRate } from '../raft/disk-rate.ts';
import { oneDecimal } from '../raft/phase.ts';
import { LogUnderLoad, type WriteCost, type WriteKind } from './log-under-load.ts';
import { defaultName, naiveName, variants } from './variants.ts';

export interface StorageBenchOptions {
  readonly times: {
    readonly diskMs: number;
    readonly warmUpMs: number;
    readonly measureMs: number;
    /** How long a store must have been quiet before its work counts as done. */
    readonly settleMs: number;
  };
  readonly rounds: number;
  readonly directory: string;
}

/** Small entries alone and together, and one that holds the transactions of a busy turn. */
const kinds: readonly WriteKind[] = [
  { entries: 1, bytes: 256 },
  { entries: 8, bytes: 256 },
  { entries: 64, bytes: 256 },
  { entries: 512, bytes: 256 },
  { entries: 1, bytes: 16 * 1024 },
];
/** Where the default must be so much cheaper than the naive layout, in processor time for an entry. */
const targetKind = nameOf({ entries: 64, bytes: 256 });
const gainMin = 0.3;

interface Figure {
  readonly cpu_microseconds_per_entry: number;
  readonly entries_per_second: number;
  readonly write_p50_ms: number;
  readonly write_p99_ms: number;
}

/** The log's layouts and LevelDB's settings side by side, in turns within one run, behind the interface that the driver uses. */
export async function benchStorage(options: StorageBenchOptions, report: (line: string) => void): Promise<object> {
  const { diskMs, warmUpMs, measureMs, settleMs } = options.times;
  const directory = mkdtempSync(join(options.directory, 'lockstep-bench-storage-'));
  const stores: { readonly name: string; readonly log: LogUnderLoad }[] = [];
  const costs = new Map<string, WriteCost[]>();
  const reads = new Map<string, number>();
  const disk: DiskRate[] = [];
  try {
    for (const [at, { name, open }] of variants.entries())
      stores.push({ name, log: new LogUnderLoad(await open(join(directory, String(at))), settleMs) });
    for (const { log } of stores) for (const kind of kinds) await log.writeFor(warmUpMs, kind);
    const others = new OtherLoad([process.pid]);
    for (let round = 1; round <= options.rounds; round++) {
      disk.push(diskRate(directory, diskMs));
      for (const kind of kinds) {
        for (const { name, log } of stores) {
          const cost = await log.writeFor(measureMs, kind);
          const key = `${nameOf(kind)}/${name}`;
          costs.set(key, [...(costs.get(key) ?? []), cost]);
          report(`round ${round}: ${nameOf(kind)}: ${name}: ${oneDecimal(cost.cpuMicros / cost.entries)} µs an entry`);
        }
      }
    }
    for (const { name, log } of stores) {
      const { entries, cpuMicros } = await log.readAll();
      reads.set(name, oneDecimal(cpuMicros / entries));
    }
    return summary(options, { costs, reads, disk, otherCores: others.read() });
  } finally {
    for (const { log } of stores) await log.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

function nameOf({ entries, bytes }: WriteKind): string {
  return `${entries} × ${bytes} B a write`;
}

function summary(
  options: StorageBenchOptions,
  of: {
    readonly costs: ReadonlyMap<string, readonly WriteCost[]>;
    readonly reads: ReadonlyMap<string, number>;
    readonly disk: readonly DiskRate[];
    readonly otherCores: number;
  },
): object {
  const figures = Object.fromEntries(
    kinds.map((kind) => [
      nameOf(kind),
      Object.fromEntries(variants.map(({ name }) => [name, figureOf(of.costs.get(`${nameOf(kind)}/${name}`) ?? [])])),
    ]),
  );
  const cpu = (kind: string, name: string): number => figures[kind]?.[name]?.cpu_microseconds_per_entry ?? Number.NaN;
  const gain = (kind: string): number => Math.round((1 - cpu(kind, defaultName) / cpu(kind, naiveName)) * 100) / 100;
  return {
    bench: 'storage',
    seconds: options.times.measureMs / 1_000,
    rounds: options.rounds,
    machine: machineReport(),
    load_average: loadavg().map(oneDecimal),
    other_busy_cores: of.otherCores,
    disk: of.disk,
    what_is_measured:
      'one write under way, each with a hard state and an fsync, compacted every 10,000 entries with 5,000 kept; processor time of the whole process, with what LevelDB does afterwards. The median of the rounds',
    figures,
    read_in_order_cpu_microseconds_per_entry: Object.fromEntries(of.reads),
    gain_of_the_default_over_the_naive_layout: Object.fromEntries(
      kinds.map((kind) => [nameOf(kind), gain(nameOf(kind))]),
    ),
    targets: [
      {
        figure: `processor time saved by the default, ${targetKind}`,
        least: gainMin,
        measured: gain(targetKind),
        is_met: gain(targetKind) >= gainMin,
      },
    ],
  };
}

function figureOf(costs: readonly WriteCost[]): Figure {
  const median = (of: (cost: WriteCost) => number): number => {
    const sorted = costs.map(of).toSorted((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  };
  return {
    cpu_microseconds_per_entry: Math.round(median(({ cpuMicros, entries }) => cpuMicros / entries) * 100) / 100,
    entries_per_second: Math.round(median(({ entries, elapsedMs }) => (entries * 1000) / elapsedMs)),
    write_p50_ms: rounded(median(({ histogram }) => histogram.quantile(0.5))),
    write_p99_ms: rounded(median(({ histogram }) => histogram.quantile(0.99))),
  };
}
