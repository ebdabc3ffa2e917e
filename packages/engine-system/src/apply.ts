import { emptyValue, type WritableState } from '@lockstep/contract/state';
import {
  autopilotSettings,
  clusterAuthority,
  memberIntent,
  type MountRecord,
  type SystemFact,
  type TunedMount,
} from './facts.ts';
import { encodeFactVersion, readFactVersion } from './fact-version.ts';
import { authorityKey, autopilotKey, disabledKey, factVersionKey, intentKey, inviteKey, mountsKey } from './keys.ts';
import { readMountTable } from './mount-table.ts';
import { storedInvite } from './stored-invites.ts';
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
    case 'clusterAuthorityMade':
      state.put(authorityKey, clusterAuthority.encode(fact));
      return undefined;
    case 'inviteMade':
      state.put(inviteKey(fact.id), storedInvite.encode({ ...fact, use: undefined }));
      return undefined;
    case 'inviteUsed':
      return useInvite(state, fact);
    case 'invitesForgotten':
      for (const id of fact.ids) state.delete(inviteKey(id));
      return undefined;
    case 'memberIntended':
      if (fact.isGone) state.delete(intentKey(fact.node));
      else state.put(intentKey(fact.node), memberIntent.encode(fact));
      return undefined;
    case 'autopilotConfigured':
      state.put(autopilotKey, autopilotSettings.encode(fact));
      return undefined;
    default:
      return fact satisfies never;
  }
}

function useInvite(
  state: WritableState,
  { id, node, pin }: { readonly id: string; readonly node: number; readonly pin: string },
): undefined {
  const stored = state.get(inviteKey(id));
  if (stored === undefined) return;
  const invite = storedInvite.decode(stored);
  if (invite.use !== undefined) return;
  state.put(inviteKey(id), storedInvite.encode({ ...invite, use: { node, pin } }));
  state.put(intentKey(node), memberIntent.encode({ node, isVoter: invite.isVoter, isGone: false }));
}

function tuned(mount: MountRecord, to: TunedMount): MountRecord {
  const { description, options, defaultLeaseTtlSeconds, maxLeaseTtlSeconds, isListed } = to;
  return { ...mount, description, options, defaultLeaseTtlSeconds, maxLeaseTtlSeconds, isListed };
}

function write(state: WritableState, mounts: readonly MountRecord[]): undefined {
  state.put(mountsKey, storedMounts.encode({ mounts: mounts.toSorted((a, b) => (a.path < b.path ? -1 : 1)) }));
}
