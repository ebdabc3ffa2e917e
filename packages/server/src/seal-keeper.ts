import { LockstepError } from '@lockstep/contract/errors';
import type { AutoSeal } from '@lockstep/contract/seal';
import type { Secret } from '@lockstep/contract/secret';
import type { Barrier } from '@lockstep/seal/barrier';
import type { Random } from '@lockstep/seal/random';
import { unwrapWithKey, unwrapWithSeal } from '@lockstep/seal/root-key';
import type { SealConfiguration } from '@lockstep/seal/seal-configuration';
import { ShareCollection } from '@lockstep/seal/shamir/share-collection';

export interface UnsealProgress {
  readonly threshold: number;
  readonly shares: number;
  readonly given: number;
  readonly nonce: string;
}

/** Opens and closes this node's barrier: by shares, or by a seal that needs no operator. The committed configuration decides which. */
export class SealKeeper {
  readonly barrier: Barrier;
  readonly #autoSeal: AutoSeal | undefined;
  readonly #random: Random;
  readonly #onUnsealed: () => void;
  readonly #onSealed: () => void;
  #configuration: SealConfiguration | undefined;
  #collection: ShareCollection | undefined;

  constructor(options: {
    readonly barrier: Barrier;
    readonly autoSeal: AutoSeal | undefined;
    readonly random: Random;
    readonly onUnsealed: () => void;
    /** Whatever plaintext the node remembers must go. */
    readonly onSealed: () => void;
  }) {
    this.barrier = options.barrier;
    this.#autoSeal = options.autoSeal;
    this.#random = options.random;
    this.#onUnsealed = options.onUnsealed;
    this.#onSealed = options.onSealed;
  }

  get isInitialized(): boolean {
    return this.#configuration !== undefined;
  }

  /** Of the configuration in force; 0 before there is one. */
  get configurationVersion(): number {
    return this.#configuration?.version ?? 0;
  }

  get isSealed(): boolean {
    return this.barrier.state.state === 'sealed';
  }

  get progress(): UnsealProgress {
    const given = this.#collection?.progress;
    return {
      threshold: this.#configuration?.threshold ?? 0,
      shares: this.#configuration?.shares ?? 0,
      given: given?.given ?? 0,
      nonce: given?.nonce ?? '',
    };
  }

  /** Whether it is this configuration that is in force. */
  isInForce(configuration: SealConfiguration): boolean {
    const ours = this.#configuration;
    return ours !== undefined && Buffer.from(ours.wrappedRootKey).equals(configuration.wrappedRootKey);
  }

  /** Takes a committed configuration into use. The same or an older one changes nothing. */
  adopt(configuration: SealConfiguration): void {
    if (this.#configuration !== undefined && configuration.version <= this.#configuration.version) return;
    this.#configuration = configuration;
    this.#collection = configuration.kind === 'shamir' ? new ShareCollection(configuration, this.#random) : undefined;
    this.barrier.adopt(configuration);
  }

  /**
   * Another cluster's configuration comes into force with its state: this node is sealed, and opens with the keys of then. The same
   * one again changes nothing.
   */
  replace(configuration: SealConfiguration): void {
    if (this.#configuration !== undefined && configuration.version <= this.#configuration.version) return;
    this.seal();
    this.adopt(configuration);
  }

  resetProgress(): void {
    this.#collection?.reset();
  }

  /** Gives one share. Refuses what is no share of this cluster; opens the barrier with the last one needed. */
  async giveShare(share: string): Promise<void> {
    if (!this.isSealed) return;
    const configuration = this.#requireConfiguration();
    if (this.#collection === undefined) {
      throw new LockstepError(
        'failed-precondition',
        `this cluster is sealed by ${configuration.kind}, which takes no unseal keys`,
      );
    }
    const outcome = await this.#collection.give(share);
    if (outcome.kind !== 'complete') return;
    try {
      this.#open(configuration, unwrapWithKey(configuration, outcome.key));
    } finally {
      outcome.key.wipe();
    }
  }

  /** Opens the barrier by the node's own seal, where it has one. */
  async openByItself(): Promise<void> {
    const configuration = this.#configuration;
    if (configuration === undefined || this.#autoSeal === undefined || !this.isSealed) return;
    const rootKey = await unwrapWithSeal(configuration, this.#autoSeal);
    if (this.isSealed) this.#open(configuration, rootKey);
    else rootKey.wipe();
  }

  /** Right after init, on the node that made the keys. */
  openWith(configuration: SealConfiguration, rootKey: Secret): void {
    if (this.isSealed) this.#open(configuration, rootKey);
  }

  seal(): void {
    this.barrier.seal();
    this.resetProgress();
    this.#onSealed();
  }

  #open(configuration: SealConfiguration, rootKey: Secret): void {
    this.barrier.unseal(configuration, rootKey);
    // A newer one may have been committed while the root key was unwrapped; entries that follow it need its keyring.
    this.barrier.adopt(this.#requireConfiguration());
    this.#onUnsealed();
  }

  #requireConfiguration(): SealConfiguration {
    if (this.#configuration === undefined)
      throw new LockstepError('not-initialized', 'the cluster is not initialized yet: run lockstep init first');
    return this.#configuration;
  }
}
