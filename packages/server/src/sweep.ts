import { expiredTokens } from '@lockstep/auth/token/expired-tokens';
import { MountId } from '@lockstep/contract/ids';
import { disabledPrefix } from '@lockstep/engine-system/keys';
import type { Host } from './host.ts';
import { type HostFact, hostFacts } from './host-facts.ts';
import { overdueOutcomes } from './idempotency.ts';
import { disabledMountsMax, sweepKeysMax } from './limits.ts';
import { hostMount, systemMount, tokenMount } from './mounts.ts';
import { encodeTransaction, type FactRecord, type HostExpect } from './transaction.ts';

/** What there is to forget, as far as one transaction takes it. */
interface Sweeping {
  readonly facts: readonly FactRecord[];
  readonly expects: readonly HostExpect[];
  readonly keys: number;
}

/**
 * Forgets what is over: remembered outcomes, expired tokens, the contents of disabled mounts; `sweepKeysMax` of each at most.
 * Answers how much that was. Changes nothing that a request could see. Throws as a request would that finds no leader.
 */
export async function sweep(
  host: Host,
  deadline: number,
): Promise<{ readonly keys: number; readonly isMore: boolean }> {
  const now = await host.confirmRead(deadline);
  const { restoredIndex } = host;
  const found = [await outcomes(host, now), await tokens(host, now), await disabledMount(host)];
  let keys = 0;
  for (const { facts, expects, keys: swept } of found) {
    if (facts.length === 0) continue;
    const transaction = encodeTransaction({ facts, expects, remembered: undefined, restoredIndex });
    const recorded = await host.record(transaction, deadline, { isRelief: true });
    // A conflict, or a leader that was lost: it is found again in the next round.
    if (recorded.kind === 'applied') keys += swept;
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

async function tokens(host: Host, now: number): Promise<Sweeping> {
  const { facts, expects } = await expiredTokens(host.state(tokenMount), now, sweepKeysMax);
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
