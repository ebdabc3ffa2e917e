interface Event {
  readonly atMs: number;
  readonly order: number;
  run: () => void;
}

const nothing = (): void => undefined;

/** Everything that will happen, in virtual time. What is due at the same time happens in the order in which it was planned. */
export class Agenda {
  #nowMs = 0;
  #order = 0;
  /** A binary heap. */
  readonly #events: Event[] = [];

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Plans `run`; the result cancels it. */
  after(ms: number, run: () => void): () => void {
    const event = { atMs: this.#nowMs + ms, order: this.#order++, run };
    this.#events.push(event);
    this.#rise(this.#events.length - 1);
    return () => {
      event.run = nothing;
    };
  }

  /** Lets the next event happen, if it is due at `untilMs`. False: none is, and it is `untilMs` now. */
  step(untilMs: number): boolean {
    const next = this.#events[0];
    if (next === undefined || next.atMs > untilMs) {
      this.#nowMs = untilMs;
      return false;
    }
    const last = this.#events.pop();
    if (last !== undefined && last !== next) {
      this.#events[0] = last;
      this.#sink();
    }
    this.#nowMs = next.atMs;
    next.run();
    return true;
  }

  #rise(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#isOrdered(parent, at)) return;
      this.#swap(parent, at);
      at = parent;
    }
  }

  #sink(): void {
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#events.length && !this.#isOrdered(least, child)) least = child;
      }
      if (least === at) return;
      this.#swap(least, at);
      at = least;
    }
  }

  #isOrdered(earlier: number, later: number): boolean {
    const [a, b] = [this.#events[earlier], this.#events[later]];
    if (a === undefined || b === undefined) return true;
    return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
  }

  #swap(a: number, b: number): void {
    const [eventA, eventB] = [this.#events[a], this.#events[b]];
    if (eventA === undefined || eventB === undefined) return;
    this.#events[a] = eventB;
    this.#events[b] = eventA;
  }
}
