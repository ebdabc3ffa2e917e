import { Raft } from '@lockstep/core/raft/raft';
import type { Ready } from '@lockstep/core/raft/types';

/** What is seen of every core while it runs. */
export interface CoreObserver {
  readonly ready: (ready: Ready) => void;
  readonly readAsked: (id: number) => void;
}

/** Shows what any core is asked and hands out, until the result is called. The cores themselves stay as they are in production. */
export function observeCores(observer: CoreObserver): () => void {
  // Called with its own `this` below.
  // oxlint-disable-next-line typescript/unbound-method
  const { ready: originalReady, readIndex: originalRead } = Raft.prototype;
  Raft.prototype.ready = function observed(this: Raft): Ready {
    const ready = originalReady.call(this);
    observer.ready(ready);
    return ready;
  };
  Raft.prototype.readIndex = function observed(this: Raft, id: number): void {
    observer.readAsked(id);
    originalRead.call(this, id);
  };
  return () => {
    Raft.prototype.ready = originalReady;
    Raft.prototype.readIndex = originalRead;
  };
}
