// Runs one engine on a memory state, through the same steps as a node: route, fields, handler, expects, apply, reply. For
// engines' tests, and where an engine is of use without a cluster.
import { readCounter } from './counter.ts';
import type { Call, Caller, Decision, Engine, Expect, MountView, Operation, Reply } from './engine.ts';
import { LockstepError } from './errors.ts';
import { parseFields } from './fields.ts';
import { LogIndex, MountId, rootNamespace, TimeMs } from './ids.ts';
import type { JsonObject } from './json.ts';
import { MemoryState } from './memory-state.ts';
import { RouteTable } from './route-table.ts';
import type { Secret } from './secret.ts';
import type { ReadableState } from './state.ts';

export interface TryEngineOptions {
  readonly mountPath?: string;
  readonly options?: { readonly [key: string]: string };
  readonly caller?: Caller;
  readonly presentedToken?: Secret;
  /** Deterministic randomness for a test that needs it. */
  readonly random: (size: number) => Buffer;
  readonly startMs?: number;
  /** 768 hours, as a mount's default, unless given. */
  readonly maxLeaseTtlSeconds?: number;
}

export interface TriedEngine {
  readonly state: MemoryState;
  /** Throws the LockstepError that the caller would get. */
  readonly request: (operation: Operation, path: string, raw?: { readonly [name: string]: unknown }) => Promise<Reply>;
  /** Decides without recording, so that a test can let something happen in between. */
  readonly decide: (
    operation: Operation,
    path: string,
    raw?: { readonly [name: string]: unknown },
  ) => Promise<Decision<Uint8Array>>;
  readonly record: (
    decision: Decision<Uint8Array>,
  ) => { readonly kind: 'applied'; readonly reply: Reply } | { readonly kind: 'conflict' };
  readonly advance: (ms: number) => void;
  readonly nowMs: () => number;
}

const trialCaller: Caller = {
  tokenId: 'trial',
  accessor: 'trial',
  displayName: 'trial',
  policies: ['root'],
  isRoot: true,
  mayUseBelow: () => true,
};

function mountView(options: TryEngineOptions): MountView {
  return {
    id: MountId('trial'),
    namespace: rootNamespace,
    path: options.mountPath ?? 'trial/',
    options: options.options ?? {},
    defaultLeaseTtlSeconds: 768 * 3600,
    maxLeaseTtlSeconds: options.maxLeaseTtlSeconds ?? 768 * 3600,
  };
}

export function holds(expect: Expect, state: ReadableState): boolean {
  if (expect.kind === 'unchanged') return state.version(expect.key) === expect.version;
  if (expect.kind === 'absent') return state.get(expect.key) === undefined;
  return readCounter(state.get(expect.key)) < expect.limit;
}

export function tryEngine(engine: Engine, options: TryEngineOptions): TriedEngine {
  const state = new MemoryState();
  const routes = new RouteTable(engine.routes);
  let now = options.startMs ?? Date.UTC(2026, 0, 1);
  let index = 0;
  const call = (): Call => ({
    state: state.readable,
    now: TimeMs(now),
    random: options.random,
    mount: mountView(options),
    caller: options.caller ?? trialCaller,
    presentedToken: options.presentedToken,
    factVersion: 1,
    supersedes: undefined,
    offload: async ({ module, exportName, argument }) => {
      const loaded = await import(module.href);
      return await loaded[exportName](argument);
    },
  });
  const decide: TriedEngine['decide'] = async (operation, path, raw = {}) => {
    const found = routes.find(operation, path);
    if (found.kind === 'none')
      throw new LockstepError('not-found', `no handler for route "${path}". route entry not found.`);
    if (found.kind === 'other-operations') throw new LockstepError('unsupported-operation', 'unsupported operation');
    const { route, parameters } = found.match;
    const { values } = parseFields(route.fields, { ...raw, ...parameters });
    return await route.handle(call(), values as never);
  };
  const record: TriedEngine['record'] = (decision) => {
    if (!(decision.expects ?? []).every((expect) => holds(expect, state.readable))) return { kind: 'conflict' };
    index += 1;
    const at = { index: LogIndex(index), timeMs: TimeMs(now), factVersion: 1 };
    const results = state.transact(index, (writable) =>
      (decision.facts ?? []).map((fact): JsonObject | undefined => engine.apply(writable, fact, at)),
    );
    return { kind: 'applied', reply: typeof decision.reply === 'function' ? decision.reply(results) : decision.reply };
  };
  return {
    state,
    decide,
    record,
    request: async (operation, path, raw) => {
      const recorded = record(await decide(operation, path, raw));
      if (recorded.kind === 'conflict')
        throw new LockstepError('contended', 'the state changed while the request was decided');
      return recorded.reply;
    },
    advance: (ms) => {
      now += ms;
    },
    nowMs: () => now,
  };
}
