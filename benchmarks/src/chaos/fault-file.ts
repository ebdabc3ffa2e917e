/** Lies beside a node's configuration, for node-faults.ts. */
export const faultFileName = 'faults.json';

export interface FaultFile {
  /** Where the node dials from. */
  readonly source: string;
}
