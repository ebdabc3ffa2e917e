import type { SimulationResult } from './simulate.ts';

/** A seed that broke a rule. */
export interface Failed {
  readonly seed: number;
  readonly nodes: number;
  readonly rule: string;
  readonly message: string;
  readonly atMs: number;
}

/** What many seeds came to. */
export interface Totals {
  readonly passed: number;
  readonly failed: readonly Failed[];
  readonly simulatedMs: number;
  readonly events: number;
  readonly committed: number;
  readonly elections: number;
  readonly crashes: number;
  readonly snapshotsInstalled: number;
  readonly membershipChanges: number;
  readonly writesApplied: number;
  readonly writesUnknown: number;
  readonly reads: number;
}

export const noTotals: Totals = {
  passed: 0,
  failed: [],
  simulatedMs: 0,
  events: 0,
  committed: 0,
  elections: 0,
  crashes: 0,
  snapshotsInstalled: 0,
  membershipChanges: 0,
  writesApplied: 0,
  writesUnknown: 0,
  reads: 0,
};

export function withResult(totals: Totals, result: SimulationResult): Totals {
  const { seed, nodes, failure, counts } = result;
  return {
    passed: totals.passed + (failure === undefined ? 1 : 0),
    failed: failure === undefined ? totals.failed : [...totals.failed, { seed, nodes, ...failure }],
    simulatedMs: totals.simulatedMs + result.simulatedMs,
    events: totals.events + result.events,
    committed: totals.committed + result.committed,
    elections: totals.elections + result.elections,
    crashes: totals.crashes + result.crashes,
    snapshotsInstalled: totals.snapshotsInstalled + result.snapshotsInstalled,
    membershipChanges: totals.membershipChanges + result.membershipChanges,
    writesApplied: totals.writesApplied + counts.applied,
    writesUnknown: totals.writesUnknown + counts.unknown,
    reads: totals.reads + counts.read,
  };
}
