import type { Arena } from './arena.ts';
import type { Fault, Injected } from './fault.ts';
import { faultMs, mildShare, recoveredWithinMs, restBetweenMs, triesUntilShown } from './limits.ts';
import { recoveryMs } from './recovery.ts';
import { pause, pick, shuffled } from './wait.ts';

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
        await this.#injectUntilShown(fault);
        // A cluster that does not recover has nothing more to show.
        if (this.violations.length > 0) return;
      }
    }
  }

  /** A fault that leaves no trace may never have happened, and then nothing is proven by it. */
  async #injectUntilShown(fault: Fault): Promise<void> {
    for (let tries = 0; tries < triesUntilShown && this.violations.length === 0; tries++)
      if (await this.#injectAll(fault)) return;
    if (this.violations.length === 0)
      this.violations.push(`"${fault.name}" was injected ${triesUntilShown} times, and nothing shows it`);
  }

  /** Injects a fault, sometimes on top of a mild one; resolves with whether the fault showed. */
  async #injectAll(fault: Fault): Promise<boolean> {
    const { random } = this.#arena;
    const milds = this.#faults.filter(({ isMild }) => isMild === true);
    const hasMild = fault.isMild !== true && milds.length > 0 && random() < mildShare;
    const faults = hasMild ? [pick(milds, random), fault] : [fault];
    const injected: Injected[] = [];
    for (const one of faults) injected.push(await one.inject(this.#arena));
    const holdMs = injected.at(-1)?.holdMs ?? faultMs.least + random() * faultMs.span;
    await pause(holdMs);
    const shown: (string | undefined)[] = [];
    for (const one of injected.toReversed()) shown.unshift(await one.heal());
    const recovered = await recoveryMs(this.#arena.cluster);
    faults.forEach((one, at) => this.#tally(one, shown[at] !== undefined));
    this.#report(
      `${faults.map(({ name }, at) => `${name} (${injected[at]?.target}): ${shown[at] ?? 'nothing shows it'}`).join('; ')}; ` +
        `after ${Math.round(holdMs)} ms ${recovered === undefined ? 'not recovered' : `recovered in ${Math.round(recovered)} ms`}`,
    );
    if (recovered === undefined)
      this.violations.push(`after "${fault.name}" not every node took a write within ${recoveredWithinMs} ms`);
    else this.slowestRecoveryMs = Math.max(this.slowestRecoveryMs, recovered);
    await pause(restBetweenMs.least + random() * restBetweenMs.span);
    return shown.at(-1) !== undefined;
  }

  #tally(fault: Fault, isShown: boolean): void {
    const tally = this.tallies.find(({ name }) => name === fault.name);
    if (tally === undefined) return;
    tally.injected++;
    if (isShown) tally.shown++;
  }
}
