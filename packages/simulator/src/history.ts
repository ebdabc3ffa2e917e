import { checkLinearizable, type HistoryOperation, type SequentialModel } from './linearizability.ts';
import { linearizabilityStepsMax } from './limits.ts';

/** One operation of one client on one object. `key` names the object; `client` is for the reader of a report only. */
export interface ClientOperation<Input, Output> {
  readonly client: string;
  readonly key: string;
  readonly calledAt: number;
  /** Undefined: the outcome is unknown, and it may take effect at any time after the call, or never. */
  readonly returnedAt: number | undefined;
  readonly input: Input;
  /** Undefined where the outcome is unknown. An operation that certainly changed nothing does not belong into a history. */
  readonly output: Output | undefined;
}

/** What an object with these inputs and outputs does, one operation after the other. */
export interface ObjectModel<Input, Output, State> {
  readonly initial: State;
  /** The state after the operation; undefined when `output` can't come of this state. An unknown output fits every state. */
  readonly step: (state: State, input: Input, output: Output | undefined) => State | undefined;
  /** Equal for equal states only. */
  readonly keyOf: (state: State) => string;
  /** Whether neither this state nor any that may follow admits the operation: counted versions tell. It shortens the search; default never. */
  readonly isPast?: (state: State, input: Input, output: Output | undefined) => boolean;
  /** Where each write of a key writes what no other one writes, the search is far shorter. */
  readonly unique?: UniqueWrites<Input, Output>;
}

export interface UniqueWrites<Input, Output> {
  /** What only this operation writes; undefined when it writes nothing. */
  readonly tokenOf: (input: Input) => string | undefined;
  /** Whose write this output shows, and the output that the writer must then have had. */
  readonly seenIn: (input: Input, output: Output) => { readonly token: string; readonly output: Output } | undefined;
  /** Whether it takes effect in whatever state it comes upon. */
  readonly isUnconditional: (input: Input) => boolean;
}

export interface HistoryReport<Input, Output> {
  readonly keys: number;
  readonly operations: number;
  readonly unknown: number;
  /** For each key that no order explains: the operation that no attempt got past. */
  readonly violations: readonly { readonly key: string; readonly stuckAt: ClientOperation<Input, Output> }[];
  /** Keys whose search was given up at the limit. They prove nothing: a test with one of them has not passed. */
  readonly undecided: readonly string[];
}

/**
 * Holds a history of many clients to a model, key by key: linearizability is local (Herlihy and Wing, 1990). `stepsMax` bounds the
 * search of each key; default `linearizabilityStepsMax`.
 */
export function checkHistory<Input, Output, State>(
  history: readonly ClientOperation<Input, Output>[],
  model: ObjectModel<Input, Output, State>,
  stepsMax: number = linearizabilityStepsMax,
): HistoryReport<Input, Output> {
  const violations: { key: string; stuckAt: ClientOperation<Input, Output> }[] = [];
  const undecided: string[] = [];
  const { unique, isPast } = model;
  const sequential: SequentialModel<ClientOperation<Input, Output>, State> = {
    initial: model.initial,
    step: (state, { input, output }) => model.step(state, input, output),
    keyOf: model.keyOf,
    isPast: (state, { input, output }) => isPast?.(state, input, output) ?? false,
    // Those that somebody saw are no longer unknown.
    isAnonymous: ({ input }) => unique?.tokenOf(input) !== undefined && unique.isUnconditional(input),
  };
  const ofKey = Map.groupBy(history, (operation) => operation.key);
  for (const [key, operations] of ofKey) {
    const settled = unique === undefined ? operations : settleSeen(operations, unique);
    const verdict = checkLinearizable(settled.map(timed), sequential, stepsMax);
    if (verdict.kind === 'violation') violations.push({ key, stuckAt: verdict.stuckAt.operation });
    else if (verdict.kind === 'undecided') undecided.push(key);
  }
  const unknown = history.filter(({ returnedAt }) => returnedAt === undefined).length;
  return { keys: ofKey.size, operations: history.length, unknown, violations, undecided };
}

/** A write of unknown outcome that another operation saw did happen, before the first that saw it returned. */
function settleSeen<Input, Output>(
  operations: readonly ClientOperation<Input, Output>[],
  unique: UniqueWrites<Input, Output>,
): readonly ClientOperation<Input, Output>[] {
  const seen = new Map<string, { readonly returnedAt: number; readonly output: Output }>();
  for (const { input, output, returnedAt } of operations) {
    if (output === undefined || returnedAt === undefined) continue;
    const shown = unique.seenIn(input, output);
    if (shown === undefined) continue;
    const before = seen.get(shown.token);
    if (before === undefined || returnedAt < before.returnedAt)
      seen.set(shown.token, { returnedAt, output: shown.output });
  }
  return operations.map((operation) => {
    if (operation.returnedAt !== undefined) return operation;
    const token = unique.tokenOf(operation.input);
    const known = token === undefined ? undefined : seen.get(token);
    return known === undefined ? operation : { ...operation, ...known };
  });
}

function timed<Input, Output>(
  operation: ClientOperation<Input, Output>,
): HistoryOperation<ClientOperation<Input, Output>> {
  const { calledAt, returnedAt } = operation;
  return { calledAt, returnedAt, operation };
}
