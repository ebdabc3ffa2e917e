/** One line of the source, or a few, and the mistake that takes its place. It must be there, exactly once. */
export interface Edit {
  /** Below packages. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A classic mistake, put into a copy of the source while it is loaded: it must be noticed. */
export interface Mutant {
  readonly name: string;
  /** Its number in the list of thirty that the score is counted by; the others are ours. */
  readonly listed?: number;
  readonly what: string;
  readonly edits: readonly Edit[];
  /** What shows it where no simulated cluster can: a scenario of scenarios.ts. Default: seeds. */
  readonly scenario?: string;
}
