/** What both kinds of process of the bare pipeline tell of themselves. */
export interface BareProcess {
  readonly port: number;
  readonly transactions: number;
  readonly syncs: number;
}
