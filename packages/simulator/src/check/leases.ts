import type { NodeId } from '@lockstep/contract/ids';
import { insist } from '../violation.ts';

const rule = '22 no lease while another leads';

/** What a node would answer a read by its lease at. */
export interface Lease {
  readonly node: NodeId;
  readonly index: number;
}

/** A node commits something for the first time: nobody else may hold a lease without it. */
export function checkLeases(by: { readonly node: NodeId; readonly commit: number }, leases: readonly Lease[]): void {
  for (const { node, index } of leases) {
    insist(
      rule,
      node === by.node || index >= by.commit,
      () => `node ${by.node} commits ${by.commit}, node ${node} would read at ${index} by its lease`,
    );
  }
}

/** At the end of a node's turn: its lease, if it holds one, covers all that is committed. */
export function checkLease(
  { node, index }: { readonly node: NodeId; readonly index: number | undefined },
  committed: number,
): void {
  insist(
    rule,
    index === undefined || index >= committed,
    () => `node ${node} would read at ${index} by its lease, committed is ${committed}`,
  );
}
