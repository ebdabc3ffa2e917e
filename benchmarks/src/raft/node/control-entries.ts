import type { ConsensusNode } from '@lockstep/core/node-options';

/** Proposed in one go before other work has its turn. */
const perTurn = 256;
/** As many may be on their way: a flood would say more about queues than about logs. */
const underWayMax = 4_096;

/**
 * Appends control entries, each an entry of the log by itself, until `count` have been taken or this node no longer orders any;
 * resolves with how many it took.
 */
export async function appendControlEntries(
  node: ConsensusNode,
  of: { readonly count: number; readonly bytes: number },
): Promise<number> {
  const payload = new Uint8Array(of.bytes).fill(7);
  let taken = 0;
  let isRefused = false;
  while (taken < of.count && !isRefused) {
    const { raft, appliedIndex } = node.status();
    // Only a leader says at once whether it took an entry.
    if (raft.role !== 'leader') break;
    const room = Math.min(of.count - taken, perTurn, underWayMax - (raft.lastIndex - appliedIndex));
    for (let slot = 0; slot < room && !isRefused; slot++)
      node.proposeControl(payload, ({ kind }) => {
        if (kind === 'appended') taken++;
        else isRefused = true;
      });
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  return taken;
}
