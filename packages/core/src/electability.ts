import { unfitTimeoutsMax } from './limits.ts';

/** What a node knows about itself when its election timeout has passed. */
export interface Fitness {
  readonly isSealed: boolean;
  readonly isLogEmpty: boolean;
  /** A write hangs. */
  readonly isDiskStalled: boolean;
  /** No write has hung for some time, and clients' writes find room. */
  readonly isDiskFit: boolean;
  readonly isInstalling: boolean;
  /** False of a node that was removed, and knows it. */
  readonly isMember: boolean;
}

/**
 * Whether this node may campaign. A node whose disk hangs, or whose log and state don't belong together just now, may not. A
 * sealed one, and one whose disk is full or hung lately, leaves it to the others for some timeouts, since as leader it could order
 * no client's transaction, or would soon have to hand over; but a log that is still empty has no unsealed node to wait for.
 */
export class Electability {
  readonly #fitness: () => Fitness;
  #leaderlessTimeouts = 0;

  constructor(fitness: () => Fitness) {
    this.#fitness = fitness;
  }

  leaderSeen(): void {
    this.#leaderlessTimeouts = 0;
  }

  /** To be asked once for each election timeout. */
  isElectable(): boolean {
    const { isSealed, isLogEmpty, isDiskStalled, isDiskFit, isInstalling, isMember } = this.#fitness();
    if (isDiskStalled || isInstalling || !isMember) return false;
    if (isDiskFit && (!isSealed || isLogEmpty)) return true;
    this.#leaderlessTimeouts++;
    return this.#leaderlessTimeouts >= unfitTimeoutsMax;
  }
}
