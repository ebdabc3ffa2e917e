import { parts } from './parts.ts';
import type { Shares } from './sum-by-part.ts';

export interface ProcessTime {
  readonly name: string;
  /** By kind; `main` runs the JavaScript. */
  readonly threads: ReadonlyMap<string, number>;
  readonly shares: Shares;
}

/** Microseconds of processor time for each certificate, by process and part; what rounds to nothing is left out. */
export function whereTimeGoes(
  processes: readonly ProcessTime[],
  certificates: number,
): { readonly [process: string]: { readonly [part: string]: number } } {
  const each = (seconds: number): number => Math.round((seconds * 1e7) / Math.max(1, certificates)) / 10;
  return Object.fromEntries(
    processes.map(({ name, threads, shares }) => {
      const main = threads.get('main') ?? Number.NaN;
      const rows = parts.map((part) => [part, each(main * (shares.get(part) ?? 0))] as const);
      const others = [...threads].filter(([kind]) => kind !== 'main');
      const all = [...rows, ...others.map(([kind, seconds]) => [`thread ${kind}`, each(seconds)] as const)];
      return [name, Object.fromEntries(all.filter(([, microseconds]) => microseconds > 0))];
    }),
  );
}
