import type { NodeOptions } from './node-options.ts';
import { type SnapshotPullOptions, startSnapshotPull } from './snapshot/snapshot-pull.ts';
import type { Pull } from './snapshot-install.ts';
import type { TurnLoop } from './turn-loop.ts';

/** Pulls bring their chunks and timers into the node's loop. */
export function pullsInLoop({ machine, pullSnapshot, clock }: NodeOptions, loop: TurnLoop): Pull {
  const options: SnapshotPullOptions = {
    machine,
    setTimer: (ms, run) => clock.setTimer(ms, () => loop.enter(run)),
    pull: (from, id, offset, { onChunk, onEnd }) =>
      pullSnapshot(from, id, offset, {
        onChunk: (data, at, total, next) => loop.enter(() => onChunk(data, at, total, next)),
        onEnd: (error) => loop.enter(() => (error === undefined ? onEnd() : onEnd(error))),
      }),
  };
  return ({ from, meta }, done) => startSnapshotPull(options, { from, id: meta.id }, done);
}
