import { Raft } from '@lockstep/core/raft/raft';
import type { Ready } from '@lockstep/core/raft/types';

/** Shows every `Ready` that any core hands out, until the result is called. The cores themselves stay as they are in production. */
export function observeReady(see: (ready: Ready) => void): () => void {
  // Called with its own `this` below.
  // oxlint-disable-next-line typescript/unbound-method
  const original = Raft.prototype.ready;
  Raft.prototype.ready = function observed(this: Raft): Ready {
    const ready = original.call(this);
    see(ready);
    return ready;
  };
  return () => {
    Raft.prototype.ready = original;
  };
}
