import { renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Lies beside a node's configuration, and is read again and again by node-faults.ts in the node. */
export const faultFileName = 'faults.json';
export const rereadEveryMs = 20;

export type ClockFault =
  | { readonly kind: 'right' }
  | { readonly kind: 'off'; readonly byMs: number }
  /** Ahead and behind in turn, for `everyMs` each. */
  | { readonly kind: 'strobe'; readonly byMs: number; readonly everyMs: number };

export type DiskFault =
  | { readonly kind: 'sound' }
  /** What is written is there to be read, but every sync fails, as with EIO from fsync. */
  | { readonly kind: 'failing-sync' }
  /** Every sync takes so much longer. */
  | { readonly kind: 'slow-sync'; readonly ms: number }
  /** No sync returns until the disk is sound again. */
  | { readonly kind: 'stalled-sync' };

export interface FaultFile {
  /** Where the node dials from. */
  readonly source: string;
  readonly clock: ClockFault;
  readonly disk: DiskFault;
}

export function soundFaultFile(source: string): FaultFile {
  return { source, clock: { kind: 'right' }, disk: { kind: 'sound' } };
}

/** Whole or not at all: the node reads at any moment. */
export function writeFaultFile(configFile: string, faults: FaultFile): void {
  const file = join(dirname(configFile), faultFileName);
  writeFileSync(`${file}.new`, JSON.stringify(faults));
  renameSync(`${file}.new`, file);
}
