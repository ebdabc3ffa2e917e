import { LockstepError } from '@lockstep/contract/errors';
import { bytes, type MessageCodec, message, text, uint, WireError } from '@lockstep/contract/wire';
import { recordOverheadBytes } from './aead.ts';
import { keyBytes, sealedKeyringBytesMax } from './keyring.ts';
import { contextBytesMax, wrappedRootKeyBytesMax } from './limits.ts';
import { checkShareCounts } from './shamir/share-counts.ts';

/**
 * How the cluster is sealed: replicated as an unsealed control entry, because a sealed node must read it. It holds no
 * plaintext key: the root key is wrapped by the seal, the keyring is sealed under the root key.
 */
export interface SealConfiguration {
  readonly clusterId: string;
  /** Grows by one with every change, so that an older configuration is never adopted over a newer. */
  readonly version: number;
  /** `shamir`, or the kind of an AutoSeal. */
  readonly kind: string;
  /** Shamir's numbers; 0 for an AutoSeal. */
  readonly shares: number;
  readonly threshold: number;
  /** Names this set of shares: a share of another set is refused by it. */
  readonly setId: Uint8Array;
  readonly wrappedRootKey: Uint8Array;
  readonly sealedKeyring: Uint8Array;
  /** The cluster that took it over, by restoring another cluster's snapshot by force; empty where none did. */
  readonly restoredInto: string;
}

export const setIdBytes = 16;
export const shamirKind = 'shamir';

/** As in protos/lockstep/log/v1/log.proto. */
export const sealConfigurationWire: MessageCodec<SealConfiguration> = message({
  clusterId: text(1),
  version: uint(2),
  kind: text(3),
  shares: uint(4),
  threshold: uint(5),
  setId: bytes(6),
  wrappedRootKey: bytes(7),
  sealedKeyring: bytes(8),
  restoredInto: text(9),
});

export function encodeSealConfiguration(configuration: SealConfiguration): Buffer {
  return sealConfigurationWire.encode(checked(configuration));
}

/** Refuses with `invalid-input` anything but a complete, well-formed configuration. The arrays are copies. */
export function decodeSealConfiguration(input: Uint8Array): SealConfiguration {
  try {
    return checked(sealConfigurationWire.decode(Buffer.from(input)));
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw new LockstepError('invalid-input', `seal configuration is not a valid message: ${cause.message}`, { cause });
  }
}

function checked(configuration: SealConfiguration): SealConfiguration {
  const { clusterId, version, kind, shares, threshold, setId, wrappedRootKey, sealedKeyring, restoredInto } =
    configuration;
  const rule = (holds: boolean, message: string): void => {
    if (!holds) throw new LockstepError('invalid-input', `seal configuration: ${message}`);
  };
  const idBytes = Buffer.byteLength(clusterId);
  rule(idBytes > 0 && idBytes <= contextBytesMax, `cluster_id must have 1 to ${contextBytesMax} bytes`);
  rule(Buffer.byteLength(restoredInto) <= contextBytesMax, `restored_into must have at most ${contextBytesMax} bytes`);
  rule(version > 0, 'version must be at least 1');
  rule(/^[a-z][a-z0-9-]{0,31}$/.test(kind), 'kind must be a short lower-case name');
  rule(setId.length === setIdBytes, `set_id must have ${setIdBytes} bytes`);
  rule(sealedKeyring.length > recordOverheadBytes, 'sealed_keyring is too short');
  rule(sealedKeyring.length <= sealedKeyringBytesMax, `sealed_keyring has more than ${sealedKeyringBytesMax} bytes`);
  if (kind === shamirKind) {
    checkShareCounts({ shares, threshold });
    rule(wrappedRootKey.length === recordOverheadBytes + keyBytes, 'wrapped_root_key has the wrong length');
  } else {
    rule(shares === 0 && threshold === 0, `a ${kind} seal has no shares`);
    rule(wrappedRootKey.length > 0, 'wrapped_root_key is missing');
    rule(
      wrappedRootKey.length <= wrappedRootKeyBytesMax,
      `wrapped_root_key has more than ${wrappedRootKeyBytesMax} bytes`,
    );
  }
  return configuration;
}
