/**
 * One operation in a history. Times are of one clock; an operation whose outcome is unknown has no end: it may take effect at any
 * time after its call, or never.
 */
export interface HistoryOperation<Operation> {
  readonly calledAt: number;
  readonly returnedAt: number | undefined;
  readonly operation: Operation;
}

/** What a history is held to: an object that does one operation after the other. */
export interface SequentialModel<Operation, State> {
  readonly initial: State;
  /** The state after the operation; undefined when its recorded result can't come of this state. */
  readonly step: (state: State, operation: Operation) => State | undefined;
  /** Equal for equal states only. */
  readonly keyOf: (state: State) => string;
  /**
   * Whether nothing tells this operation of unknown outcome from the others of which that is true: it fits every state, and no
   * result shows which of them it was. Then they are taken in the order of their calls, which is as good as any.
   */
  readonly isAnonymous?: (operation: Operation) => boolean;
  /** Whether neither this state nor any that may follow admits the operation. It shortens the search; default never. */
  readonly isPast?: (state: State, operation: Operation) => boolean;
}

export type Verdict<Operation> =
  | { readonly kind: 'linearizable' }
  /** No order explains it. `stuckAt` is the operation that no attempt got past. */
  | { readonly kind: 'violation'; readonly stuckAt: HistoryOperation<Operation> }
  /** Given up after `stepsMax`: it proves nothing. */
  | { readonly kind: 'undecided' };

interface Placed<Operation> extends HistoryOperation<Operation> {
  readonly number: number;
}

interface Frame<State> {
  /** State before this frame's operation. */
  readonly state: State;
  readonly candidates: readonly number[];
  next: number;
  /** The operation that was taken, to be put back. */
  taken: number;
}

/**
 * Whether some order of the operations, in which none comes before another that had returned when it was called, explains every
 * result. The search is Wing and Gong's ("Testing and Verifying Concurrent Objects", 1993) with Lowe's memory of configurations
 * ("Testing for linearizability", 2017). Check each key by itself: linearizability is local (Herlihy and Wing, 1990).
 */
export function checkLinearizable<Operation, State>(
  history: readonly HistoryOperation<Operation>[],
  model: SequentialModel<Operation, State>,
  stepsMax: number,
): Verdict<Operation> {
  const operations = history
    .toSorted((a, b) => a.calledAt - b.calledAt)
    .map((operation, number): Placed<Operation> => ({ ...operation, number }));
  const search = new Search(operations, model);
  return search.run(stepsMax);
}

const none: readonly never[] = [];

class Search<Operation, State> {
  readonly #operations: readonly Placed<Operation>[];
  readonly #model: SequentialModel<Operation, State>;
  /** One bit for each operation that has been placed. */
  readonly #placed: Uint32Array;
  readonly #seen = new Set<string>();
  #isOpenLeft: number;
  /** How many operations, from the first on, have all been placed. */
  #firstLeft = 0;
  #furthest = -1;
  #stuckAt: Placed<Operation> | undefined;

  constructor(operations: readonly Placed<Operation>[], model: SequentialModel<Operation, State>) {
    this.#operations = operations;
    this.#model = model;
    this.#placed = new Uint32Array(Math.ceil(operations.length / 32));
    this.#isOpenLeft = operations.filter(({ returnedAt }) => returnedAt !== undefined).length;
  }

  run(stepsMax: number): Verdict<Operation> {
    let state = this.#model.initial;
    const frames: Frame<State>[] = [];
    for (let steps = 0; this.#isOpenLeft > 0; steps++) {
      if (steps >= stepsMax) return { kind: 'undecided' };
      frames.push({ state, candidates: this.#candidates(state), next: 0, taken: -1 });
      const after = this.#advance(frames);
      if (after === undefined) return { kind: 'violation', stuckAt: this.#requireStuck() };
      state = after.state;
    }
    return { kind: 'linearizable' };
  }

  /** Takes the next candidate that fits, going back as far as it must. Undefined when nothing is left to try. */
  #advance(frames: Frame<State>[]): { readonly state: State } | undefined {
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      if (frame.taken >= 0) this.#putBack(frame);
      while (frame.next < frame.candidates.length) {
        const candidate = frame.candidates[frame.next++] ?? 0;
        const operation = this.#operations[candidate];
        const after = operation === undefined ? undefined : this.#model.step(frame.state, operation.operation);
        if (after === undefined) continue;
        this.#take(frame, candidate);
        if (this.#isNew(after)) return { state: after };
        this.#putBack(frame);
      }
      frames.pop();
    }
    return undefined;
  }

  /** What may come next: called before any that is left has returned. Those whose outcome is known come first. None if one of them came too late. */
  #candidates(state: State): readonly number[] {
    const known: number[] = [];
    const unknown: number[] = [];
    let isAnonymousTaken = false;
    let isDeadEnd = false;
    let first: Placed<Operation> | undefined;
    let firstReturn = Number.POSITIVE_INFINITY;
    for (let at = this.#firstLeft; at < this.#operations.length; at++) {
      const operation = this.#operations[at];
      if (operation === undefined || this.#isPlaced(at)) continue;
      if (operation.calledAt > firstReturn) break;
      if (operation.returnedAt === undefined) {
        const isAnonymous = this.#model.isAnonymous?.(operation.operation) ?? false;
        if (!isAnonymous || !isAnonymousTaken) unknown.push(at);
        isAnonymousTaken ||= isAnonymous;
        continue;
      }
      known.push(at);
      isDeadEnd ||= this.#model.isPast?.(state, operation.operation) ?? false;
      if (operation.returnedAt >= firstReturn) continue;
      first = operation;
      firstReturn = operation.returnedAt;
    }
    if (first !== undefined) this.#noteStuck(first);
    if (isDeadEnd) return none;
    return [...known, ...unknown];
  }

  /** The one that returned first among those left, at the deepest point that the search reached, is where it failed. */
  #noteStuck(operation: Placed<Operation>): void {
    const depth = operation.returnedAt ?? 0;
    if (depth <= this.#furthest) return;
    this.#furthest = depth;
    this.#stuckAt = operation;
  }

  #requireStuck(): Placed<Operation> {
    if (this.#stuckAt === undefined) throw new Error('a search without open operations is over');
    return this.#stuckAt;
  }

  #isNew(state: State): boolean {
    const key = `${this.#placedKey()};${this.#model.keyOf(state)}`;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }

  /** Tells sets of placed operations apart. All before `firstLeft` are placed, and zeros at the end say nothing. */
  #placedKey(): string {
    const from = this.#firstLeft >> 5;
    let until = this.#placed.length;
    while (until > from && this.#placed[until - 1] === 0) until--;
    return `${from},${this.#placed.subarray(from, until).join(',')}`;
  }

  #isPlaced(at: number): boolean {
    return ((this.#placed[at >> 5] ?? 0) & (1 << (at & 31))) !== 0;
  }

  #take(frame: Frame<State>, at: number): void {
    frame.taken = at;
    this.#placed[at >> 5] = (this.#placed[at >> 5] ?? 0) | (1 << (at & 31));
    if (this.#operations[at]?.returnedAt !== undefined) this.#isOpenLeft--;
    while (this.#isPlaced(this.#firstLeft)) this.#firstLeft++;
  }

  #putBack(frame: Frame<State>): void {
    const at = frame.taken;
    frame.taken = -1;
    this.#placed[at >> 5] = (this.#placed[at >> 5] ?? 0) & ~(1 << (at & 31));
    if (this.#operations[at]?.returnedAt !== undefined) this.#isOpenLeft++;
    this.#firstLeft = Math.min(this.#firstLeft, at);
  }
}
