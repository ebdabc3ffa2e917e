/** What autopilot goes by: the operators' settings. */
export interface AutopilotRules {
  /** A member that was silent for longer is not healthy. */
  readonly lastContactMs: number;
  /** A member that is this many entries behind is healthy still. */
  readonly lagEntriesMax: number;
  /** A learner is promoted once it has been healthy for so long without a break. */
  readonly stableMs: number;
  /** Members that were silent for longer than `deadMs` are removed. */
  readonly removesDead: boolean;
  readonly deadMs: number;
  /** No voter is removed that would leave fewer voters than that. */
  readonly votersMin: number;
}
