import { isTokenAlive } from '@lockstep/auth/token/lookup';
import { readCounter } from '@lockstep/contract/counter';
import type { AppliedAt, Engine } from '@lockstep/contract/engine';
import type { MountId } from '@lockstep/contract/ids';
import type { JsonObject } from '@lockstep/contract/json';
import { applyHostFact } from './apply-host-fact.ts';
import { hostFacts } from './host-facts.ts';
import { rememberOutcome } from './idempotency.ts';
import { hostMount, tokenMount } from './mounts.ts';
import type { EntryWriter } from './state/state-db.ts';
import type { HostExpect, Transaction } from './transaction.ts';

export type FactResult = JsonObject | undefined;

/** What became of one transaction, the same on every node. */
export type TransactionResult =
  | { readonly kind: 'applied'; readonly results: readonly FactResult[] }
  /** Nothing happened: this no longer held. */
  | {
      readonly kind: 'conflict';
      readonly expect:
        | HostExpect
        | { readonly kind: 'mount-gone'; readonly mount: MountId }
        | { readonly kind: 'restored' };
    }
  /** Nothing happened: apply threw. The mount is marked faulted. */
  | { readonly kind: 'failed'; readonly mount: MountId; readonly cause: unknown };

/** Which engine a mount's facts belong to, by the state as it is at this point of the entry. */
export type EngineOf = (writer: EntryWriter, mount: MountId) => Pick<Engine, 'apply'> | undefined;

/** Where a transaction is applied, and how the state came there. */
export interface TransactionPlace extends Omit<AppliedAt, 'factVersion'> {
  /** Where in the log the state was last restored from a snapshot; 0 where it never was. */
  readonly restoredIndex: number;
}

/** Folds one transaction into the state: as a whole, or not at all. Called in entry order on every node. */
export function applyTransaction(
  writer: EntryWriter,
  transaction: Transaction,
  place: TransactionPlace,
  engineOf: EngineOf,
): TransactionResult {
  const { restoredIndex, ...at } = place;
  // Decided by a state that is gone: what it expects may hold by accident.
  if (transaction.restoredIndex !== restoredIndex) return { kind: 'conflict', expect: { kind: 'restored' } };
  const broken = transaction.expects.find((expect) => !holds(writer, expect, at));
  if (broken !== undefined) return { kind: 'conflict', expect: broken };
  writer.begin();
  const results: FactResult[] = [];
  for (const record of transaction.facts) {
    const engine = record.mount === hostMount ? hostsOwn(writer) : engineOf(writer, record.mount);
    if (engine === undefined) {
      writer.rollback();
      return { kind: 'conflict', expect: { kind: 'mount-gone', mount: record.mount } };
    }
    try {
      results.push(engine.apply(writer.mount(record.mount), record.fact, { ...at, factVersion: record.factVersion }));
    } catch (cause) {
      writer.rollback();
      markFaulted(writer, record.mount, at);
      return { kind: 'failed', mount: record.mount, cause };
    }
  }
  if (transaction.remembered !== undefined) {
    const isFirst = rememberOutcome(writer, transaction.remembered, results, at.timeMs);
    if (!isFirst) {
      writer.rollback();
      return { kind: 'conflict', expect: { kind: 'absent', mount: hostMount, key: transaction.remembered.key } };
    }
  }
  writer.commit();
  return { kind: 'applied', results };
}

/** The host's facts reach more than one mount's state. */
function hostsOwn(writer: EntryWriter): Pick<Engine, 'apply'> {
  return { apply: (_state, fact) => applyHostFact(writer, hostFacts.decode(fact)) };
}

function holds(writer: EntryWriter, expect: HostExpect, at: Omit<AppliedAt, 'factVersion'>): boolean {
  switch (expect.kind) {
    case 'unchanged':
      return writer.version(expect.mount, expect.key) === expect.version;
    case 'absent':
      return writer.mount(expect.mount).get(expect.key) === undefined;
    case 'below':
      return readCounter(writer.mount(expect.mount).get(expect.key)) < expect.limit;
    case 'token-alive':
      return isTokenAlive(writer.mount(tokenMount), expect.tokenId, at.timeMs);
    default:
      return expect satisfies never;
  }
}

function markFaulted(writer: EntryWriter, mount: MountId, at: Omit<AppliedAt, 'factVersion'>): void {
  writer.begin();
  writer.mount(hostMount).put(`faulted/${mount}`, Buffer.from(String(at.index)));
  writer.commit();
}
