import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import { Secret } from '@lockstep/contract/secret';
import { BatchSealer, RecordOpener, recordOverheadBytes, saltBytes, type UseKey } from './aead.ts';
import { keyVersionsMax } from './limits.ts';
import type { Random } from './random.ts';

/** What a key version's bytes are for. Each use has a key of its own, derived by HKDF (RFC 5869). */
export type KeyUse = 'log' | 'state' | 'snapshot' | 'audit' | 'token' | 'state-hash';

export const keyBytes = 32;

export interface KeyVersion {
  /** From 1 up, without gaps. */
  readonly version: number;
  readonly key: Secret;
  readonly createdMs: number;
}

/** The cluster's key versions. The newest seals, every one opens. Owns its secrets: `wipe` clears them. */
export class Keyring {
  readonly clusterId: string;
  readonly #versions: readonly KeyVersion[];
  readonly #useKeys = new Map<string, UseKey>();

  constructor(clusterId: string, versions: readonly KeyVersion[]) {
    if (versions.length === 0 || versions.length > keyVersionsMax)
      throw new LockstepError(
        'invalid-input',
        `a keyring has 1 to ${keyVersionsMax} key versions, not ${versions.length}`,
      );
    versions.forEach(({ version, key }, at) => {
      if (version !== at + 1)
        throw new LockstepError('invalid-input', `key version ${version} is out of order in the keyring`);
      if (key.reveal().length !== keyBytes)
        throw new LockstepError('invalid-input', `key version ${version} must have ${keyBytes} bytes`);
    });
    this.clusterId = clusterId;
    this.#versions = versions;
  }

  get activeVersion(): number {
    return this.#versions.length;
  }

  versions(): readonly { readonly version: number; readonly createdMs: number }[] {
    return this.#versions.map(({ version, createdMs }) => ({ version, createdMs }));
  }

  /** The key for `use` of the active version, or of an older one; undefined when this keyring lacks it. */
  useKey(use: KeyUse, version: number = this.activeVersion): UseKey | undefined {
    const name = `${version}/${use}`;
    const known = this.#useKeys.get(name);
    if (known !== undefined) return known;
    const from = this.#versions[version - 1];
    if (from === undefined) return undefined;
    const useKey = { version, key: deriveUseKey(from.key, { clusterId: this.clusterId, use }) };
    this.#useKeys.set(name, useKey);
    return useKey;
  }

  /**
   * A key that stays the same when the keyring rotates: always of the first version. For names computed from secrets
   * (a token's id, an audit line's HMAC, the digest of a state), which must be found again after a rotation.
   */
  lastingKey(use: 'audit' | 'token' | 'state-hash'): KeyObject {
    const first = this.useKey(use, 1);
    if (first === undefined) throw new Error('invariant broken: a keyring has a first version');
    return first.key;
  }

  /** Another keyring, with one version more, which seals from now on. Its secrets are copies. */
  withVersion(next: { readonly key: Secret; readonly createdMs: number }): Keyring {
    const copies = this.#versions.map((one) => ({ ...one, key: new Secret(copyOf(one.key.reveal())) }));
    return new Keyring(this.clusterId, [...copies, { version: this.activeVersion + 1, ...next }]);
  }

  /** The bytes that `openKeyring` reads. The caller wipes them. */
  encode(): Secret {
    const bytes = Buffer.allocUnsafeSlow(encodedHeadBytes + this.#versions.length * encodedVersionBytes);
    bytes[0] = encodingVersion;
    bytes.writeUInt16BE(this.#versions.length, 1);
    this.#versions.forEach(({ version, key, createdMs }, index) => {
      const at = encodedHeadBytes + index * encodedVersionBytes;
      bytes.writeUInt32BE(version, at);
      bytes.writeBigUInt64BE(BigInt(createdMs), at + 4);
      bytes.set(key.reveal(), at + 12);
    });
    return new Secret(bytes);
  }

  wipe(): void {
    for (const { key } of this.#versions) key.wipe();
    this.#useKeys.clear();
  }
}

const encodingVersion = 1;
const encodedHeadBytes = 3;
const encodedVersionBytes: number = 4 + 8 + keyBytes;
export const sealedKeyringBytesMax: number =
  recordOverheadBytes + encodedHeadBytes + keyVersionsMax * encodedVersionBytes;

/** A keyring with one fresh key. */
export function newKeyring(options: {
  readonly clusterId: string;
  readonly nowMs: number;
  readonly random: Random;
}): Keyring {
  const { clusterId, nowMs, random } = options;
  return new Keyring(clusterId, [{ version: 1, key: freshKey(random), createdMs: nowMs }]);
}

/** 32 random bytes in a buffer of their own, so that wiping it leaves no copy. */
export function freshKey(random: Random): Secret {
  const drawn = random(keyBytes);
  const key = new Secret(copyOf(drawn));
  drawn.fill(0);
  return key;
}

/** Seals the keyring under the root key, for this cluster. */
export function sealKeyring(options: {
  readonly keyring: Keyring;
  readonly rootKey: Secret;
  readonly random: Random;
}): Buffer {
  const { keyring, rootKey, random } = options;
  const { clusterId } = keyring;
  const key = deriveUseKey(rootKey, { clusterId, use: keyringPurpose });
  const sealer = new BatchSealer({
    useKey: { version: 0, key },
    context: { clusterId, purpose: keyringPurpose },
    salt: random(saltBytes),
  });
  const plain = keyring.encode();
  try {
    return sealer.seal(keyringPurpose, plain.reveal());
  } finally {
    plain.wipe();
  }
}

/** Refuses with `internal` what another root key or cluster sealed, or what was changed. */
export function openKeyring(options: {
  readonly sealed: Uint8Array;
  readonly rootKey: Secret;
  readonly clusterId: string;
}): Keyring {
  const { sealed, rootKey, clusterId } = options;
  const key = deriveUseKey(rootKey, { clusterId, use: keyringPurpose });
  const opener = new RecordOpener({
    context: { clusterId, purpose: keyringPurpose },
    keyOf: (version) => (version === 0 ? key : undefined),
  });
  const plain = opener.open(keyringPurpose, sealed);
  try {
    return new Keyring(clusterId, decodeVersions(plain));
  } finally {
    plain.fill(0);
  }
}

const keyringPurpose = 'keyring';

function decodeVersions(bytes: Buffer): readonly KeyVersion[] {
  const count = bytes.length < encodedHeadBytes ? 0 : bytes.readUInt16BE(1);
  if (bytes[0] !== encodingVersion || bytes.length !== encodedHeadBytes + count * encodedVersionBytes)
    throw new LockstepError('internal', 'the keyring opened to bytes that are not a keyring');
  return Array.from({ length: count }, (_, index) => {
    const at = encodedHeadBytes + index * encodedVersionBytes;
    return {
      version: bytes.readUInt32BE(at),
      createdMs: Number(bytes.readBigUInt64BE(at + 4)),
      key: new Secret(copyOf(bytes.subarray(at + 12, at + encodedVersionBytes))),
    };
  });
}

/** HKDF-SHA256 with the cluster's id as salt, so that the same key in two clusters never gives the same use key. */
export function deriveUseKey(
  from: Secret,
  { clusterId, use }: { readonly clusterId: string; readonly use: string },
): KeyObject {
  const derived = Buffer.from(hkdfSync('sha256', from.reveal(), clusterId, `lockstep 1 ${use}`, keyBytes));
  const key = createSecretKey(derived);
  derived.fill(0);
  return key;
}

function copyOf(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
