import { LockstepError } from '@lockstep/contract/errors';
import type { AutoSeal } from '@lockstep/contract/seal';
import { Secret } from '@lockstep/contract/secret';
import { BatchSealer, RecordOpener, saltBytes } from './aead.ts';
import { deriveUseKey, keyBytes } from './keyring.ts';
import type { Random } from './random.ts';
import type { SealConfiguration } from './seal-configuration.ts';

type RootKeyPlace = Pick<SealConfiguration, 'clusterId' | 'setId'>;
const purpose = 'root-key';

/** Seals the root key under a wrapping key, for one cluster and one set of shares. */
export function wrapWithKey(options: {
  readonly rootKey: Secret;
  readonly wrappingKey: Secret;
  readonly place: RootKeyPlace;
  readonly random: Random;
}): Buffer {
  const { rootKey, wrappingKey, place, random } = options;
  const { clusterId } = place;
  const useKey = { version: 0, key: deriveUseKey(wrappingKey, { clusterId, use: purpose }) };
  const sealer = new BatchSealer({ useKey, context: { clusterId, purpose }, salt: random(saltBytes) });
  return sealer.seal(place.setId, rootKey.reveal());
}

/** Refuses with `invalid-input` when the key that the shares gave is not the one that wraps the root key. */
export function unwrapWithKey(configuration: SealConfiguration, wrappingKey: Secret): Secret {
  const { clusterId, setId, wrappedRootKey } = configuration;
  const key = deriveUseKey(wrappingKey, { clusterId, use: purpose });
  const opener = new RecordOpener({
    context: { clusterId, purpose },
    keyOf: (version) => (version === 0 ? key : undefined),
  });
  try {
    return new Secret(opener.open(setId, wrappedRootKey));
  } catch (cause) {
    throw new LockstepError(
      'invalid-input',
      'the unseal keys given do not open the root key: at least one of them is wrong',
      {
        cause,
      },
    );
  }
}

/** Asks an AutoSeal for the root key. Errors are the seal's own: `unavailable`, or `denied`. */
export async function unwrapWithSeal(configuration: SealConfiguration, seal: AutoSeal): Promise<Secret> {
  if (seal.kind !== configuration.kind)
    throw new LockstepError(
      'failed-precondition',
      `the cluster is sealed by ${configuration.kind}, this node has a ${seal.kind} seal`,
    );
  const rootKey = await seal.unwrap(configuration.wrappedRootKey, contextOf(configuration));
  if (rootKey.reveal().length !== keyBytes)
    throw new LockstepError('denied', `the ${seal.kind} seal returned a root key of the wrong length`);
  return rootKey;
}

/** What an AutoSeal binds the wrapped root key to. */
export function contextOf({ clusterId, setId }: RootKeyPlace): Buffer {
  return Buffer.concat([Buffer.from(`lockstep root key 1\0${clusterId}\0`), setId]);
}
