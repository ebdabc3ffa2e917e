import type { LogIndex } from '@lockstep/contract/ids';
import type { Membership } from './raft/types.ts';

/** Which membership was in force at which committed index, back to the start of the log or of this run. */
export class MembershipHistory {
  #changes: { readonly index: LogIndex; readonly membership: Membership }[];

  constructor(index: LogIndex, membership: Membership) {
    this.#changes = [{ index, membership }];
  }

  /** In force now. */
  get current(): Membership {
    return this.#last.membership;
  }

  /** The entry up to which all changes have taken effect. */
  get index(): LogIndex {
    return this.#last.index;
  }

  get #last(): { readonly index: LogIndex; readonly membership: Membership } {
    const last = this.#changes.at(-1);
    if (last === undefined) throw new Error('invariant broken: a membership history is never empty');
    return last;
  }

  changed(index: LogIndex, membership: Membership): void {
    this.#changes.push({ index, membership });
  }

  reset(index: LogIndex, membership: Membership): void {
    this.#changes = [{ index, membership }];
  }

  /** Undefined where it can't be known any more. */
  at(index: LogIndex): Membership | undefined {
    return this.#changes.findLast((change) => change.index <= index)?.membership;
  }

  /** Nothing before `index` will be asked for. */
  forgetBefore(index: LogIndex): void {
    const keep = this.#changes.findLastIndex((change) => change.index <= index);
    if (keep > 0) this.#changes.splice(0, keep);
  }
}
