import type { ConsensusNode } from '@lockstep/core/node-options';

/** Proposed in one go before other work has its turn. */
const perTurn = 256;

/** Appends `count` control entries, each an entry of the log by itself; resolves when the leader has taken the last of them. */
export async function appendControlEntries(
  node: ConsensusNode,
  of: { readonly count: number; readonly bytes: number },
): Promise<void> {
  const payload = new Uint8Array(of.bytes).fill(7);
  for (let left = of.count; left > 0; ) {
    let isTaken = true;
    for (let slot = 0; slot < perTurn && left > 0 && isTaken; slot++) {
      node.proposeControl(payload, (outcome) => {
        isTaken = outcome.kind === 'appended';
        if (outcome.kind === 'refused' && outcome.reason !== 'busy') throw new Error(`refused: ${outcome.reason}`);
      });
      if (isTaken) left--;
    }
    // As much as may be uncommitted is: the quorum's turn.
    await new Promise<void>((resolve) => {
      if (isTaken) setImmediate(resolve);
      else setTimeout(resolve, 1);
    });
  }
}
