import type { Arena } from './arena.ts';

/** A kind of fault. */
export interface Fault {
  readonly name: string;
  /** The cluster goes on under it, so that another fault may come on top. */
  readonly isMild?: boolean;
  /** Why it can't happen here; undefined when it can. */
  readonly unavailable?: (arena: Arena) => string | undefined;
  readonly inject: (arena: Arena) => Promise<Injected>;
}

/** A fault that is under way. */
export interface Injected {
  /** What it was done to, in words. */
  readonly target: string;
  /** How long it should last, where the fault itself knows better. */
  readonly holdMs?: number;
  /** Ends it. Resolves with how it showed; undefined when nothing shows that it happened. */
  readonly heal: () => Promise<string | undefined>;
}
