import { LockstepError } from '@lockstep/contract/errors';
import type { AutoSeal } from '@lockstep/contract/seal';
import { Secret } from '@lockstep/contract/secret';
import { freshKey, newKeyring, sealKeyring } from './keyring.ts';
import type { Random } from './random.ts';
import { contextOf, wrapWithKey } from './root-key.ts';
import { type SealConfiguration, setIdBytes, shamirKind } from './seal-configuration.ts';
import { checkShareCounts } from './shamir/share-counts.ts';
import { splitKey } from './shamir/split-key.ts';

/** How a new cluster is to be sealed. */
export type SealChoice =
  | { readonly kind: 'shamir'; readonly shares: number; readonly threshold: number }
  | { readonly kind: 'auto'; readonly seal: AutoSeal };

export interface Initialised {
  /** To be replicated as a control entry. Nothing is initialised before that is committed. */
  readonly configuration: SealConfiguration;
  /** Opens the barrier at once. Whoever doesn't pass it on wipes it. */
  readonly rootKey: Secret;
  /** The shares, to be shown once; none for an AutoSeal. */
  readonly shares: readonly Secret[];
}

/** Makes root key, keyring and shares of a new cluster. Changes nothing anywhere. */
export async function initialise(options: {
  readonly clusterId: string;
  readonly seal: SealChoice;
  readonly nowMs: number;
  readonly random: Random;
}): Promise<Initialised> {
  const { clusterId, seal, nowMs, random } = options;
  if (seal.kind === 'shamir') checkShareCounts(seal);
  const rootKey = freshKey(random);
  const keyring = newKeyring({ clusterId, nowMs, random });
  const setId = Buffer.from(random(setIdBytes));
  const sealedKeyring = sealKeyring({ keyring, rootKey, random });
  keyring.wipe();
  const wrapped = await wrapRootKey({ rootKey, seal, place: { clusterId, setId }, random });
  return {
    configuration: { clusterId, version: 1, setId, sealedKeyring, restoredInto: '', ...wrapped.record },
    rootKey,
    shares: wrapped.shares,
  };
}

async function wrapRootKey(options: {
  readonly rootKey: Secret;
  readonly seal: SealChoice;
  readonly place: { readonly clusterId: string; readonly setId: Uint8Array };
  readonly random: Random;
}): Promise<{
  readonly record: Pick<SealConfiguration, 'kind' | 'shares' | 'threshold' | 'wrappedRootKey'>;
  readonly shares: readonly Secret[];
}> {
  const { rootKey, seal, place, random } = options;
  if (seal.kind === 'auto') {
    if (seal.seal.kind === shamirKind)
      throw new LockstepError('invalid-input', 'an auto seal must not be called shamir');
    const wrappedRootKey = await seal.seal.wrap(rootKey, contextOf(place));
    return { record: { kind: seal.seal.kind, shares: 0, threshold: 0, wrappedRootKey }, shares: [] };
  }
  const wrappingKey = freshKey(random);
  try {
    const wrappedRootKey = wrapWithKey({ rootKey, wrappingKey, place, random });
    const { shares: count, threshold } = seal;
    const shares = await splitKey({ key: wrappingKey, shares: count, threshold, setId: place.setId });
    return { record: { kind: shamirKind, shares: count, threshold, wrappedRootKey }, shares };
  } finally {
    wrappingKey.wipe();
  }
}
