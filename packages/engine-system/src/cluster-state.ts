import type { ReadableState } from '@lockstep/contract/state';
import {
  type AutopilotSettings,
  autopilotSettings,
  type ClusterAuthority,
  clusterAuthority,
  memberIntent,
} from './facts.ts';
import { authorityKey, autopilotKey, intentKey, inviteKey } from './keys.ts';
import { type StoredInvite, storedInvite } from './stored-invites.ts';

/** Undefined until somebody is invited. */
export function readAuthority(state: Pick<ReadableState, 'get'>): ClusterAuthority | undefined {
  const stored = state.get(authorityKey);
  return stored === undefined ? undefined : clusterAuthority.decode(stored);
}

export function readInvite(state: Pick<ReadableState, 'get'>, id: string): StoredInvite | undefined {
  const stored = state.get(inviteKey(id));
  return stored === undefined ? undefined : storedInvite.decode(stored);
}

/** Undefined where nobody said: then a member stays what it is. */
export function readIntent(state: Pick<ReadableState, 'get'>, node: number): { readonly isVoter: boolean } | undefined {
  const stored = state.get(intentKey(node));
  return stored === undefined ? undefined : memberIntent.decode(stored);
}

/** Vault's defaults. */
export const autopilotDefaults: AutopilotSettings = {
  cleansUpDeadServers: false,
  deadServerLastContactSeconds: 24 * 3_600,
  lastContactSeconds: 10,
  maxTrailingLogs: 1_000,
  minQuorum: 0,
  serverStabilizationSeconds: 10,
};

export function readAutopilot(state: Pick<ReadableState, 'get'>): AutopilotSettings {
  const stored = state.get(autopilotKey);
  return stored === undefined ? autopilotDefaults : autopilotSettings.decode(stored);
}
