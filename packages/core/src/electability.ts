import { sealedTimeoutsMax } from './limits.ts';

/** What a node knows about itself when its election timeout has passed. */
export interface Fitness {
  readonly isSealed: boolean;
  readonly isLogEmpty: boolean;
  readonly isDiskStalled: boolean;
  readonly isInstalling: boolean;
}

/**
 * Whether this node may campaign. A node whose disk hangs, or whose log and state don't belong together just now, may not. A
 * sealed one leaves it to the unsealed for some timeouts, since as leader it could order no client's transaction; but a log that
 * is still empty has no unsealed node to wait for.
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
    const { isSealed, isLogEmpty, isDiskStalled, isInstalling } = this.#fitness();
    if (isDiskStalled || isInstalling) return false;
    if (!isSealed || isLogEmpty) return true;
    this.#leaderlessTimeouts++;
    return this.#leaderlessTimeouts >= sealedTimeoutsMax;
  }
}
