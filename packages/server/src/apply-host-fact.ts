import { MountId } from '@lockstep/contract/ids';
import { kindOfMount } from '@lockstep/engine-system/mount-table';
import { disabledKey } from '@lockstep/engine-system/keys';
import type { HostFact } from './host-facts.ts';
import { forgetOutcome } from './idempotency.ts';
import { systemMount } from './mounts.ts';
import type { EntryWriter } from './state/state-db.ts';

/** Folds one of the host's own facts into the state. It alone reaches into other mounts, and only into those that are disabled. */
export function applyHostFact(writer: EntryWriter, fact: HostFact): undefined {
  switch (fact.type) {
    case 'outcomesForgotten':
      for (const dueKey of fact.dueKeys) forgetOutcome(writer, dueKey);
      return undefined;
    case 'keysDropped': {
      // Ids are never used again, so a mount that is there now was never disabled.
      if (kindOfMount(writer.mount(systemMount), fact.mount) !== undefined) return undefined;
      const mount = writer.mount(MountId(fact.mount));
      for (const key of fact.keys) mount.delete(key);
      return undefined;
    }
    case 'mountForgotten':
      writer.mount(systemMount).delete(disabledKey(fact.mount));
      return undefined;
    default:
      return fact satisfies never;
  }
}
