declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A position in the replicated log. The first entry has index 1; 0 means "before the log". */
export type LogIndex = Branded<number, 'LogIndex'>;
/** Raft's term. The first term is 1; 0 means "before any election". */
export type Term = Branded<number, 'Term'>;
/** A node for life: 53 random bits, never reused. 0 means "no node". */
export type NodeId = Branded<number, 'NodeId'>;
/** Milliseconds since the Unix epoch, by the log's clock. */
export type TimeMs = Branded<number, 'TimeMs'>;
/** Names a mount for life, whatever path it is moved to. */
export type MountId = Branded<string, 'MountId'>;
/** Names a tenant. Only `root` exists so far. */
export type NamespaceId = Branded<string, 'NamespaceId'>;

function checked(n: number, what: string): number {
  if (!Number.isSafeInteger(n) || n < 0) throw new RangeError(`${what} must be a safe integer, not negative: ${n}`);
  return n;
}

export const LogIndex = (n: number): LogIndex => checked(n, 'log index') as LogIndex;
export const Term = (n: number): Term => checked(n, 'term') as Term;
export const NodeId = (n: number): NodeId => checked(n, 'node id') as NodeId;
export const TimeMs = (n: number): TimeMs => checked(n, 'time') as TimeMs;
export const MountId = (s: string): MountId => s as MountId;
export const NamespaceId = (s: string): NamespaceId => s as NamespaceId;

/** The namespace that every mount, policy, token and lease lives in until tenants exist. */
export const rootNamespace: NamespaceId = NamespaceId('root');
