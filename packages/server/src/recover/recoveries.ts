import type { Json } from '@lockstep/contract/json';
import type { WritableState } from '@lockstep/contract/state';
import { type MessageCodec, message, repeatedEmbed } from '@lockstep/contract/wire';
import { recoveriesKey } from '@lockstep/engine-system/keys';
import { type Recovery, recoveryWire } from '../control-entry.ts';
import { recoveriesKept } from './limits.ts';

/** As in protos/lockstep/log/v1/state.proto. */
export const recoveriesWire: MessageCodec<{ readonly recoveries: readonly Recovery[] }> = message({
  recoveries: repeatedEmbed(1, recoveryWire),
});

/** Apply's part, in the system's mount. The log may be compacted; that a cluster went on by force stays known. */
export function keepRecovery(state: WritableState, recovery: Recovery | undefined): void {
  if (recovery === undefined) return;
  const recoveries = [...recoveriesIn(state), recovery].slice(-recoveriesKept);
  state.put(recoveriesKey, recoveriesWire.encode({ recoveries }));
}

/** As `sys/cluster/members` tells them, the latest last. */
export function recoveriesReply(state: Pick<WritableState, 'get'>): Json[] {
  return recoveriesIn(state).map((recovery) => ({
    epoch: recovery.epoch,
    node: String(recovery.node),
    time: new Date(recovery.atMs).toISOString(),
    command: recovery.command,
    by: recovery.by,
    version: recovery.program,
    last_index: recovery.lastIndex,
    last_term: recovery.lastTerm,
    commit_index: recovery.commit,
    left_behind: recovery.leftBehind.map(String),
  }));
}

function recoveriesIn(state: Pick<WritableState, 'get'>): readonly Recovery[] {
  const stored = state.get(recoveriesKey);
  return stored === undefined ? [] : recoveriesWire.decode(stored).recoveries;
}
