import { createRootToken } from '@lockstep/auth/token/create-root-token';
import { LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import type { Secret } from '@lockstep/contract/secret';
import { firstFactVersion } from '@lockstep/engine-system/fact-version';
import { Barrier } from '@lockstep/seal/barrier';
import { initialise, type SealChoice } from '@lockstep/seal/initialise';
import type { Random } from '@lockstep/seal/random';
import type { SealConfiguration } from '@lockstep/seal/seal-configuration';
import { encodeControlEntry, foundingPlace } from './control-entry.ts';
import { tokenMount } from './mounts.ts';
import { encodeTransaction } from './transaction.ts';

export interface FoundedCluster {
  /** To be committed as a control entry: with it the cluster is initialized. */
  readonly controlEntry: Uint8Array;
  readonly configuration: SealConfiguration;
  readonly rootKey: Secret;
  readonly shares: readonly Secret[];
  readonly rootToken: Secret;
}

/** Makes a new cluster's keys, shares and root token. Changes nothing until the control entry is committed. */
export async function foundCluster(options: {
  readonly clusterId: string;
  readonly seal: SealChoice;
  readonly nowMs: number;
  readonly random: Random;
}): Promise<FoundedCluster> {
  const { clusterId, nowMs, random } = options;
  const { configuration, rootKey, shares } = await initialise(options);
  const { token, facts } = createRootToken({ random, nowMs });
  const founding = encodeTransaction({
    expects: [],
    facts: facts.map((fact) => ({ mount: tokenMount, factVersion: firstFactVersion, fact })),
    remembered: undefined,
    restoredIndex: 0,
  });
  // A barrier of its own, so that this node stays sealed until the entry is committed.
  const barrier = new Barrier({ clusterId, random });
  barrier.unseal(configuration, rootKey.copy());
  const encoder = barrier.entryEncoder();
  if (encoder === undefined) throw new LockstepError('internal', 'a fresh barrier did not open');
  const sealed = encoder.encode(foundingPlace, nowMs, [founding]);
  barrier.seal();
  return {
    controlEntry: encodeControlEntry({ seal: configuration, founding: sealed, restore: undefined }),
    configuration,
    rootKey,
    shares,
    rootToken: token,
  };
}

/** What `sys/init` answers, in Vault's shape. This is the only time that the shares and the root token are shown. */
export function initReply(founded: FoundedCluster): JsonObject {
  return {
    keys: founded.shares.map((share) => share.reveal().toString('hex')),
    keys_base64: founded.shares.map((share) => share.reveal().toString('base64')),
    root_token: founded.rootToken.revealText(),
  };
}
