import { LockstepError } from '@lockstep/contract/errors';
import { healed, type Swarm } from './swarm.ts';

/** What a run does without, so that what is left is easier to read. */
export interface Simplified {
  /** Names of `troubles`. */
  readonly without?: readonly string[];
  readonly clients?: number;
  readonly keys?: number;
}

/** Everything besides the faults' kinds that makes a run hard to read. */
const others = ['loss', 'late', 'duplicates', 'reordering', 'membership', 'leases', 'repeats', 'restores'] as const;

/** Every name that `without` takes: the kinds of faults, and the rest. */
export function troubles({ every }: Swarm): readonly string[] {
  return [...Object.keys(every), ...others];
}

/** Those that this swarm suffers from. */
export function active(swarm: Swarm): readonly string[] {
  const before = JSON.stringify(swarm);
  return troubles(swarm).filter((name) => JSON.stringify(simplify(swarm, { without: [name] })) !== before);
}

/** The same swarm without these; refuses a name that there is not. */
export function simplify(swarm: Swarm, { without = [], clients, keys }: Simplified): Swarm {
  const names = troubles(swarm);
  const stranger = without.find((name) => name !== 'all' && !names.includes(name));
  if (stranger !== undefined)
    throw new LockstepError(
      'invalid-input',
      `--without: there is no "${stranger}"; there are ${names.join(', ')}, and all`,
    );
  const calm = healed(swarm);
  const isOff = (name: string): boolean => without.includes(name) || without.includes('all');
  const every = Object.entries(swarm.every).map(([kind, ms]) => [kind, isOff(kind) ? 0 : ms] as const);
  return {
    ...swarm,
    every: { ...swarm.every, ...Object.fromEntries(every) },
    lossShare: isOff('loss') ? calm.lossShare : swarm.lossShare,
    lateShare: isOff('late') ? calm.lateShare : swarm.lateShare,
    duplicateShare: isOff('duplicates') ? calm.duplicateShare : swarm.duplicateShare,
    isReordering: !isOff('reordering') && swarm.isReordering,
    membershipMs: isOff('membership') ? 0 : swarm.membershipMs,
    restoreMs: isOff('restores') ? 0 : swarm.restoreMs,
    hasLeases: !isOff('leases') && swarm.hasLeases,
    repeatShare: isOff('repeats') ? 0 : swarm.repeatShare,
    clients: clients ?? swarm.clients,
    keys: keys ?? swarm.keys,
  };
}
