import { emptyValue, type WritableState } from '@lockstep/contract/state';
import type { MountRecord, SystemFact, TunedMount } from './facts.ts';
import { encodeFactVersion, readFactVersion } from './fact-version.ts';
import { disabledKey, factVersionKey, mountsKey } from './keys.ts';
import { readMountTable } from './mount-table.ts';
import { storedMounts } from './stored-mounts.ts';

export function apply(state: WritableState, fact: SystemFact): undefined {
  const { mounts } = readMountTable(state);
  switch (fact.type) {
    case 'mountEnabled':
      return write(state, [...mounts, fact]);
    case 'mountDisabled':
      // Its data can't be reached any more, since ids are never used again; the sweeper removes it, because apply reads points only.
      state.put(disabledKey(fact.id), emptyValue);
      return write(
        state,
        mounts.filter((mount) => mount.id !== fact.id),
      );
    case 'mountTuned':
      return write(
        state,
        mounts.map((mount) => (mount.id === fact.id ? tuned(mount, fact) : mount)),
      );
    case 'factVersionRaised':
      if (fact.version > readFactVersion(state)) state.put(factVersionKey, encodeFactVersion(fact.version));
      return undefined;
    default:
      return fact satisfies never;
  }
}

function tuned(mount: MountRecord, to: TunedMount): MountRecord {
  const { description, options, defaultLeaseTtlSeconds, maxLeaseTtlSeconds, isListed } = to;
  return { ...mount, description, options, defaultLeaseTtlSeconds, maxLeaseTtlSeconds, isListed };
}

function write(state: WritableState, mounts: readonly MountRecord[]): undefined {
  state.put(mountsKey, storedMounts.encode({ mounts: mounts.toSorted((a, b) => (a.path < b.path ? -1 : 1)) }));
}
