import type { Fields, FieldValues } from './fields.ts';
import type { LogIndex, MountId, NamespaceId, TimeMs } from './ids.ts';
import type { JsonObject } from './json.ts';
import type { Secret } from './secret.ts';
import type { ReadableState, WritableState } from './state.ts';
import type { Codec } from './wire.ts';

/** What a request does. HTTP's POST and PUT are both `write`; `write` needs `create` or `update` by the route's `exists`. */
export type Operation = 'read' | 'write' | 'patch' | 'delete' | 'list';
export type Capability = 'create' | 'read' | 'update' | 'patch' | 'delete' | 'list' | 'sudo';

/** What must still hold when the transaction is applied. Otherwise nothing of it happens and the handler runs again. */
export type Expect =
  | { readonly kind: 'unchanged'; readonly key: string; readonly version: number }
  | { readonly kind: 'absent'; readonly key: string }
  /** The counter at `key` (see counter.ts) is below `limit`. */
  | { readonly kind: 'below'; readonly key: string; readonly limit: number };

/** Expects that what was read at `key` is still what it was. */
export function unchanged(state: ReadableState, key: string): Expect {
  return { kind: 'unchanged', key, version: state.version(key) };
}

/** What the caller gets. No `data`, `raw` or `auth` is an empty answer (HTTP 204). */
export interface Reply {
  readonly data?: JsonObject;
  /** A body that is not JSON (a CRL, a PEM file). */
  readonly raw?: { readonly contentType: string; readonly body: Uint8Array };
  readonly auth?: AuthReply;
  readonly warnings?: readonly string[];
}

/** A login's or a token's answer, in the shape of Vault's `auth` object. */
export interface AuthReply {
  readonly clientToken: string;
  readonly accessor: string;
  readonly policies: readonly string[];
  readonly metadata: { readonly [key: string]: string };
  readonly leaseDurationSeconds: number;
  readonly isRenewable: boolean;
  readonly isOrphan: boolean;
  readonly tokenType: 'service' | 'batch';
  readonly numUses: number;
}

/** A handler's answer: what happened, what it relies on, and what to tell the caller once that is applied. */
export interface Decision<Fact> {
  readonly facts?: readonly Fact[];
  readonly expects?: readonly Expect[];
  /**
   * Or a function of what apply returned for each fact. Then `data` must be the first fact's result and nothing else, since that
   * is what a repeat with the same idempotency key gets.
   */
  readonly reply: Reply | ((results: readonly (JsonObject | undefined)[]) => Reply);
  /** The reply tells a secret that the log doesn't keep: it is not stored for repeats with the same idempotency key, which are refused. */
  readonly isSecret?: boolean;
  /** What it issues is stored nowhere: a repeat could neither answer it again nor take it back, so an idempotency key is refused. */
  readonly leavesNoTrace?: boolean;
}

/** Who asks, once the token was looked up. */
export interface Caller {
  /** The token's id in the state (never the token itself). */
  readonly tokenId: string;
  readonly accessor: string;
  readonly displayName: string;
  readonly policies: readonly string[];
  readonly isRoot: boolean;
  /** Whether the caller's policies grant anything on a path that begins with `prefix`: then it may know what is mounted there. */
  readonly mayUseBelow: (prefix: string) => boolean;
}

/** Everything a handler may use from outside itself. */
export interface Call {
  readonly state: ReadableState;
  /** The leader's time at this request's read index. */
  readonly now: TimeMs;
  readonly random: (size: number) => Buffer;
  readonly mount: MountView;
  readonly caller: Caller | undefined;
  /** The caller's token as it was presented, for replies that repeat it. */
  readonly presentedToken: Secret | undefined;
  /** The fact version in force in the cluster: a handler records no newer fact. */
  readonly factVersion: number;
  /** Set when this request repeats one with the same idempotency key whose reply held a secret: what apply returned for it. The handler must undo that one and do the request anew. */
  readonly supersedes: readonly (JsonObject | undefined)[] | undefined;
  /** Runs `exportName` of `module` with `argument` (structured-cloneable) in a worker thread, for work that would block the loop. */
  readonly offload: <R>(work: {
    readonly module: URL;
    readonly exportName: string;
    readonly argument: unknown;
  }) => Promise<R>;
}

export interface MountView {
  readonly id: MountId;
  readonly namespace: NamespaceId;
  /** With a trailing slash: `pki/`. */
  readonly path: string;
  readonly options: { readonly [key: string]: string };
  readonly defaultLeaseTtlSeconds: number;
  readonly maxLeaseTtlSeconds: number;
}

export interface Route<Fact> {
  readonly operation: Operation;
  /** Relative to the mount: `issue/:role`; `data/:path*` takes the rest, slashes included. Parameters are fields too. */
  readonly path: string;
  readonly summary: string;
  readonly fields: Fields;
  /** For `write`: does it exist already (then `update` is needed, otherwise `create`)? Without it, `update`. */
  readonly exists: ((call: Call, fields: never) => boolean) | undefined;
  /** Needs the capability `sudo` besides. */
  readonly needsSudo: boolean;
  /** Answers without a token. */
  readonly isPublic: boolean;
  /** What a repeat with the same idempotency key gets: the first reply again, or, where that held a secret, a new one that supersedes it. */
  readonly onRepeat: 'replay' | 'supersede';
  /** Takes away more than it adds, or must hold at once: taken though the disks are almost full. */
  readonly isRelief: boolean;
  readonly handle: (call: Call, fields: never) => Decision<Fact> | Promise<Decision<Fact>>;
}

export interface RouteRow<Fact, S extends Fields> {
  readonly operation: Operation;
  readonly path: string;
  readonly summary: string;
  readonly fields: S;
  readonly exists?: (call: Call, fields: FieldValues<S>) => boolean;
  readonly needsSudo?: boolean;
  readonly isPublic?: boolean;
  readonly onRepeat?: 'replay' | 'supersede';
  /** For what revokes; what deletes is such by itself. */
  readonly isRelief?: boolean;
  readonly handle: (call: Call, fields: FieldValues<S>) => Decision<Fact> | Promise<Decision<Fact>>;
}

/** `const route = routesOf<PkiFact>()`, then one `route({ … })` per row: the handler's fields are typed by the row's own specs. */
export function routesOf<Fact>(): <S extends Fields>(row: RouteRow<Fact, S>) => Route<Fact> {
  return (row) => ({
    operation: row.operation,
    path: row.path,
    summary: row.summary,
    fields: row.fields,
    exists: row.exists,
    needsSudo: row.needsSudo ?? false,
    isPublic: row.isPublic ?? false,
    onRepeat: row.onRepeat ?? 'replay',
    isRelief: row.isRelief ?? row.operation === 'delete',
    handle: row.handle,
  });
}

/** Where and when a fact was ordered. */
export interface AppliedAt {
  readonly index: LogIndex;
  /** The entry's time: never goes back. */
  readonly timeMs: TimeMs;
  /** The version that the fact was written in. */
  readonly factVersion: number;
}

export interface EngineSpec<Fact> {
  /** `kv`, `pki`: what `sys/mounts` calls `type`. */
  readonly kind: string;
  readonly description: string;
  readonly facts: Codec<Fact>;
  readonly routes: readonly Route<Fact>[];
  /**
   * Must depend on nothing but its arguments: every node runs it, and all must end with the same state. What it returns reaches
   * the decision's `reply` on the node that asked, and is remembered for idempotent repeats.
   */
  readonly apply: (state: WritableState, fact: Fact, at: AppliedAt) => JsonObject | undefined;
}

/** An engine as the host sees it: its fact type is sealed inside, so engines with different facts fit in one list. */
export type Engine = EngineSpec<Uint8Array>;

export function defineEngine<Fact>(spec: EngineSpec<Fact>): Engine {
  return {
    kind: spec.kind,
    description: spec.description,
    facts: { encode: (fact) => Buffer.from(fact.buffer, fact.byteOffset, fact.length), decode: (bytes) => bytes },
    routes: spec.routes.map((row) => ({
      ...row,
      handle: async (call: Call, fields: never) => {
        const decision = await row.handle(call, fields);
        return { ...decision, facts: (decision.facts ?? []).map((fact) => spec.facts.encode(fact)) };
      },
    })),
    apply: (state, bytes, at) => spec.apply(state, spec.facts.decode(bytes), at),
  };
}
