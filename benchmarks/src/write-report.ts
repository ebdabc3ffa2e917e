import { writeFileSync } from 'node:fs';
import { machineReport } from './machine.ts';

export interface RunReport {
  readonly run: string;
  readonly options: { readonly [name: string]: number };
  readonly rows: readonly (readonly [name: string, value: string])[];
  readonly violations: readonly string[];
  /** How often each fault came, and was seen to have happened. */
  readonly faults?: readonly { readonly name: string; readonly injected: number; readonly shown: number }[];
}

/** Writes what a run showed, to be kept with the results. */
export function writeReport(file: string, { run, options, rows, violations, faults }: RunReport): void {
  const report = {
    run,
    ...options,
    machine: machineReport(),
    violations,
    figures: rows.map(([name, value]) => (name === '' ? value : `${name}: ${value}`)),
    ...(faults === undefined
      ? {}
      : {
          faults_shown_of_injected: Object.fromEntries(
            faults.map((one) => [one.name, `${one.shown} of ${one.injected}`]),
          ),
        }),
  };
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
}
