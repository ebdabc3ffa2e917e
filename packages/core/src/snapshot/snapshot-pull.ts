import type { NodeId } from '@lockstep/contract/ids';
import type { PullSnapshot } from '../peers/snapshot-transfer.ts';
import type { StateMachine } from '../port.ts';
import { pullAttemptsMax, pullIdleMs, pullRetryMs } from './limits.ts';

export interface SnapshotPullOptions {
  readonly pull: PullSnapshot;
  readonly machine: Pick<StateMachine, 'receiveSnapshot' | 'receivedBytes'>;
  /** Runs `run` once after so many milliseconds, unless the returned function is called before. */
  readonly setTimer: (ms: number, run: () => void) => () => void;
}

/**
 * Brings the bytes of snapshot `id` that are missing here to the state machine, in order, each chunk after the one before it is
 * stored. The transport has checked each chunk's checksum. A pull that breaks or hangs is made again from where it stopped; an
 * attempt that brought bytes does not count against the bound. `done(true)`: all bytes are there; it is called once, unless
 * the pull was cancelled.
 */
export function startSnapshotPull(
  options: SnapshotPullOptions,
  wanted: { readonly from: NodeId; readonly id: string },
  done: (ok: boolean) => void,
): { readonly cancel: () => void } {
  const pull = new SnapshotPull(options, wanted, done);
  pull.begin();
  return { cancel: () => pull.cancel() };
}

type State =
  | { readonly step: 'pulling' | 'storing'; readonly attempt: Attempt }
  | { readonly step: 'waiting' }
  | { readonly step: 'over' };

/** Compared by identity: what comes from an earlier attempt is ignored. */
interface Attempt {
  cancel: () => void;
}

class SnapshotPull {
  readonly #options: SnapshotPullOptions;
  readonly #wanted: { readonly from: NodeId; readonly id: string };
  readonly #done: (ok: boolean) => void;
  #state: State = { step: 'waiting' };
  #stopTimer: () => void = () => undefined;
  #failures = 0;

  constructor(
    options: SnapshotPullOptions,
    wanted: { readonly from: NodeId; readonly id: string },
    done: (ok: boolean) => void,
  ) {
    this.#options = options;
    this.#wanted = wanted;
    this.#done = done;
  }

  begin(): void {
    const { pull, machine } = this.#options;
    const { from, id } = this.#wanted;
    const attempt: Attempt = { cancel: () => undefined };
    this.#state = { step: 'pulling', attempt };
    this.#watch(attempt);
    const { cancel } = pull(from, id, machine.receivedBytes(id), {
      onChunk: (data, offset, _total, next) => this.#store(attempt, { data, offset, next }),
      onEnd: (error) => this.#ended(attempt, error),
    });
    attempt.cancel = cancel;
    // It may have ended before it returned.
    if (!this.#isCurrent(attempt)) cancel();
  }

  cancel(): void {
    const { step } = this.#state;
    if (step === 'over') return;
    this.#stopAttempt();
    this.#state = { step: 'over' };
  }

  #store(
    attempt: Attempt,
    chunk: { readonly data: Uint8Array; readonly offset: number; readonly next: () => void },
  ): void {
    if (!this.#isCurrent(attempt) || this.#state.step !== 'pulling') return;
    const { machine } = this.#options;
    const { id } = this.#wanted;
    if (chunk.offset !== machine.receivedBytes(id)) {
      this.#failed();
      return;
    }
    // The time that the disk takes is not the peer's.
    this.#stopTimer();
    this.#state = { step: 'storing', attempt };
    machine.receiveSnapshot({ id, offset: chunk.offset, data: chunk.data }, (ok) => {
      if (!this.#isCurrent(attempt) || this.#state.step !== 'storing') return;
      if (!ok) {
        this.#end(false);
        return;
      }
      this.#failures = 0;
      this.#state = { step: 'pulling', attempt };
      this.#watch(attempt);
      chunk.next();
    });
  }

  #ended(attempt: Attempt, error: Error | undefined): void {
    if (!this.#isCurrent(attempt)) return;
    if (error === undefined) this.#end(true);
    else this.#failed();
  }

  #failed(): void {
    this.#stopAttempt();
    this.#failures++;
    if (this.#failures >= pullAttemptsMax) {
      this.#end(false);
      return;
    }
    this.#state = { step: 'waiting' };
    this.#stopTimer = this.#options.setTimer(pullRetryMs, () => this.begin());
  }

  #watch(attempt: Attempt): void {
    this.#stopTimer = this.#options.setTimer(pullIdleMs, () => {
      if (this.#isCurrent(attempt)) this.#failed();
    });
  }

  #end(ok: boolean): void {
    this.cancel();
    this.#done(ok);
  }

  #stopAttempt(): void {
    this.#stopTimer();
    if (this.#state.step === 'pulling' || this.#state.step === 'storing') this.#state.attempt.cancel();
  }

  #isCurrent(attempt: Attempt): boolean {
    return (this.#state.step === 'pulling' || this.#state.step === 'storing') && this.#state.attempt === attempt;
  }
}
