import { deadTokens, type EndedTokens, expiredTokens } from '@lockstep/auth/token/ended-tokens';
import { MountId } from '@lockstep/contract/ids';
import { disabledPrefix } from '@lockstep/engine-system/keys';
import type { Host } from './host.ts';
import { type HostFact, hostFacts } from './host-facts.ts';
import { overdueOutcomes } from './idempotency.ts';
import { disabledMountsMax, sweepKeysMax, sweepWalkMax } from './limits.ts';
import { hostMount, systemMount, tokenMount } from './mounts.ts';
import { encodeTransaction, type FactRecord, type HostExpect } from './transaction.ts';

/** What there is to forget, as far as one transaction takes it. */
interface Sweeping {
  readonly facts: readonly FactRecord[];
  readonly expects: readonly HostExpect[];
  readonly keys: number;
}

/** How far a sweeper has come. Kept by it alone: another leader begins anew, and so does this one on a state that was restored. */
export interface SweepCursor {
  restoredIndex: number;
  /** Of the tokens by expiry: before it nothing is left, and reading over what was is slow. */
  expired: string;
  /** In its walk over all tokens. */
  walked: string;
}

export function newSweepCursor(): SweepCursor {
  return { restoredIndex: 0, expired: '', walked: '' };
}

/**
 * Forgets what is over: remembered outcomes, expired tokens, `sweepKeysMax` of each at most; of the next `sweepWalkMax` tokens those
 * that are dead otherwise; some of the contents of a disabled mount. Answers how much that was. Changes nothing that a request
 * could see. Throws as a request would that finds no leader.
 */
export async function sweep(
  host: Host,
  deadline: number,
  cursor: SweepCursor = newSweepCursor(),
): Promise<{ readonly keys: number; readonly isMore: boolean }> {
  const now = await host.confirmRead(deadline);
  const { restoredIndex } = host;
  if (cursor.restoredIndex !== restoredIndex) Object.assign(cursor, newSweepCursor(), { restoredIndex });
  const state = host.state(tokenMount);
  const expired = await expiredTokens(state, { nowMs: now, from: cursor.expired, limit: sweepKeysMax });
  const dead = await deadTokens(state, { nowMs: now, from: cursor.walked, limit: sweepWalkMax });
  const found = [
    { ...(await outcomes(host, now)), passed: () => undefined },
    { ...tokens(host, expired), passed: () => (cursor.expired = expired.next) },
    { ...tokens(host, dead), passed: () => undefined },
    { ...(await disabledMount(host)), passed: () => undefined },
  ];
  // What is not swept in this walk is found in the next.
  cursor.walked = dead.next;
  let keys = 0;
  for (const { facts, expects, keys: swept, passed } of found) {
    if (facts.length === 0) continue;
    const transaction = encodeTransaction({ facts, expects, remembered: undefined, restoredIndex });
    const recorded = await host.record(transaction, deadline, { isRelief: true });
    // A conflict, or a leader that was lost: it is found again in the next round.
    if (recorded.kind !== 'applied') continue;
    keys += swept;
    passed();
  }
  return { keys, isMore: found.some(({ keys: swept }) => swept === sweepKeysMax) };
}

async function outcomes(host: Host, now: number): Promise<Sweeping> {
  const dueKeys = await overdueOutcomes(host.state(hostMount), now, sweepKeysMax);
  return {
    facts: dueKeys.length === 0 ? [] : [hostFact(host, { type: 'outcomesForgotten', dueKeys })],
    expects: [],
    keys: dueKeys.length,
  };
}

function tokens(host: Host, { facts, expects }: EndedTokens): Sweeping {
  return {
    facts: facts.map((fact) => ({ mount: tokenMount, factVersion: host.factVersion, fact })),
    expects: expects.map((expect) => ({ ...expect, mount: tokenMount })),
    keys: facts.length,
  };
}

/** One disabled mount at a time. */
async function disabledMount(host: Host): Promise<Sweeping> {
  const [first] = await host.state(systemMount).keys({ prefix: disabledPrefix, limit: disabledMountsMax });
  if (first === undefined) return { facts: [], expects: [], keys: 0 };
  const mount = first.slice(disabledPrefix.length);
  const keys = await host.state(MountId(mount)).keys({ prefix: '', limit: sweepKeysMax });
  const dropped: readonly HostFact[] = keys.length === 0 ? [] : [{ type: 'keysDropped', mount, keys }];
  const isLast = keys.length < sweepKeysMax;
  const forgotten: readonly HostFact[] = isLast ? [{ type: 'mountForgotten', mount }] : [];
  return { facts: [...dropped, ...forgotten].map((fact) => hostFact(host, fact)), expects: [], keys: keys.length };
}

function hostFact(host: Host, fact: HostFact): FactRecord {
  return { mount: hostMount, factVersion: host.factVersion, fact: hostFacts.encode(fact) };
}
