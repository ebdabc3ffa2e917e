import type { Arena } from './arena.ts';
import type { Fault } from './fault.ts';
import { faultMs, recoveredWithinMs, restBetweenMs } from './limits.ts';
import { recoveryMs } from './recovery.ts';
import { pause, shuffled } from './wait.ts';

export interface FaultTally {
  readonly name: string;
  injected: number;
  /** Injected and seen to have happened. */
  shown: number;
  /** Why it cannot happen here. */
  readonly unavailable: string | undefined;
}

/** Injects one fault after the other, each in turn before any comes again, and waits after each until the cluster is whole. */
export class Faults {
  readonly violations: string[] = [];
  readonly tallies: readonly FaultTally[];
  slowestRecoveryMs = 0;
  readonly #arena: Arena;
  readonly #faults: readonly Fault[];
  readonly #report: (line: string) => void;

  constructor(arena: Arena, options: { readonly faults: readonly Fault[]; readonly report: (line: string) => void }) {
    this.#arena = arena;
    this.#report = options.report;
    this.tallies = options.faults.map(({ name, unavailable }) => {
      return { name, injected: 0, shown: 0, unavailable: unavailable?.(arena) };
    });
    this.#faults = options.faults.filter(({ unavailable }) => unavailable?.(arena) === undefined);
  }

  async goOn(shouldGoOn: () => boolean): Promise<void> {
    if (this.#faults.length === 0) throw new Error('there is no such fault');
    while (shouldGoOn()) {
      for (const fault of shuffled(this.#faults, this.#arena.random)) {
        if (!shouldGoOn()) return;
        await this.#inject(fault);
        // A cluster that does not recover has nothing more to show.
        if (this.violations.length > 0) return;
      }
    }
  }

  async #inject(fault: Fault): Promise<void> {
    const { random } = this.#arena;
    const injected = await fault.inject(this.#arena);
    const holdMs = injected.holdMs ?? faultMs.least + random() * faultMs.span;
    await pause(holdMs);
    const shown = await injected.heal();
    const recoveredMs = await recoveryMs(this.#arena.cluster);
    const tally = this.tallies.find(({ name }) => name === fault.name);
    if (tally !== undefined) {
      tally.injected++;
      if (shown !== undefined) tally.shown++;
    }
    const after = recoveredMs === undefined ? 'not recovered' : `recovered after ${Math.round(recoveredMs)} ms`;
    this.#report(
      `${fault.name} (${injected.target}) for ${Math.round(holdMs)} ms: ${shown ?? 'nothing shows it'}; ${after}`,
    );
    if (recoveredMs === undefined)
      this.violations.push(`after "${fault.name}" not every node took a write within ${recoveredWithinMs} ms`);
    else this.slowestRecoveryMs = Math.max(this.slowestRecoveryMs, recoveredMs);
    await pause(restBetweenMs.least + random() * restBetweenMs.span);
  }
}
