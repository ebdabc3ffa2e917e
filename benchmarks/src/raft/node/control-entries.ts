import type { ConsensusNode } from '@lockstep/core/node-options';

/** Proposed in one go before other work has its turn. */
const perTurn = 256;
/** As many may be on their way: a flood would say more about queues than about logs. */
const underWayMax = 4_096;

/** Appends `count` control entries, each an entry of the log by itself; resolves when the leader has taken the last of them. */
export async function appendControlEntries(
  node: ConsensusNode,
  of: { readonly count: number; readonly bytes: number },
): Promise<void> {
  const payload = new Uint8Array(of.bytes).fill(7);
  for (let left = of.count; left > 0; ) {
    const { raft, appliedIndex } = node.status();
    const room = Math.min(left, perTurn, underWayMax - (raft.lastIndex - appliedIndex));
    for (let slot = 0; slot < room; slot++) node.proposeControl(payload, requireAppended);
    left -= Math.max(0, room);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

function requireAppended(outcome: { readonly kind: string; readonly reason?: string }): void {
  if (outcome.kind !== 'appended') throw new Error(`refused: ${outcome.reason}`);
}
