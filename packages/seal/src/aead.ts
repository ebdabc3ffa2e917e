import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import { assert, LockstepError } from '@lockstep/contract/errors';
import { contextBytesMax, derivedKeysKept, placeBytesMax, recordBytesMax, recordsPerBatchMax } from './limits.ts';

// The only module that encrypts. AES-256-GCM is never used with a long-lived key: each batch has a key of its own, derived
// from a 192-bit random salt, so that counters can be nonces and no limit on messages per key is ever near. The derivation
// also gives the commitment that GCM lacks: a record opens under one key only (cf. draft-gueron-cfrg-dndkgcm).
//
//   record = version(1) | key version(4) | salt(24) | commitment(16) | counter(4) | ciphertext | tag(16)
//   d      = HMAC-SHA512(use key, "lockstep record 1" | salt);  AES key = d[0..32), commitment = d[32..48)
//   nonce  = zeros(8) | counter(4)
//   AAD    = version(1) | key version(4) | len(1) cluster id | len(1) purpose | place

const formatVersion = 1;
const saltAt = 5;
const commitAt = 29;
const counterAt = 45;
const bodyAt = 49;
const tagBytes = 16;
const cipher = 'aes-256-gcm';
/** Without it Node accepts tags of four bytes. */
const tagLength = { authTagLength: tagBytes };
const derivationLabel = Buffer.from('lockstep record 1');

export const saltBytes = 24;
/** What a record is longer than its plaintext. */
export const recordOverheadBytes: number = bodyAt + tagBytes;

/** A key for one use, and the version of the keyring's key that it was derived from (0 for a key outside a keyring). */
export interface UseKey {
  readonly version: number;
  readonly key: KeyObject;
}

/** Where records of one kind belong: no record of another cluster or purpose opens here. */
export interface RecordContext {
  readonly clusterId: string;
  readonly purpose: string;
}

/** A name that the record must be opened with again: a state key, a log position. */
export type Place = string | Uint8Array;

interface DerivedKey {
  readonly key: KeyObject;
  readonly commit: Buffer;
}

/** Seals many records under one derived key. Must not outlive the batch that it was made for. */
export class BatchSealer {
  readonly #derived: DerivedKey;
  readonly #keyVersion: number;
  readonly #head: Buffer;
  readonly #aad: AdditionalData;
  readonly #nonce = Buffer.alloc(12);
  #counter = 0;

  /** `salt`: 24 bytes that no other batch has ever had. */
  constructor(options: {
    readonly useKey: UseKey;
    readonly context: RecordContext | AdditionalData;
    readonly salt: Uint8Array;
  }) {
    const { useKey, context, salt } = options;
    assert(salt.length === saltBytes, `a salt has ${saltBytes} bytes`);
    this.#derived = deriveKey(useKey.key, salt);
    this.#keyVersion = useKey.version;
    this.#aad = additionalData(context);
    this.#head = Buffer.allocUnsafeSlow(counterAt);
    this.#head[0] = formatVersion;
    this.#head.writeUInt32BE(useKey.version, 1);
    this.#head.set(salt, saltAt);
    this.#head.set(this.#derived.commit, commitAt);
  }

  /** Refuses a plaintext above `recordBytesMax` or a place above `placeBytesMax` with `too-large`. */
  seal(place: Place, plaintext: Uint8Array): Buffer {
    if (plaintext.length > recordBytesMax)
      throw new LockstepError(
        'too-large',
        `a sealed record holds at most ${recordBytesMax} bytes, not ${plaintext.length}`,
      );
    assert(this.#counter < recordsPerBatchMax, `a batch seals at most ${recordsPerBatchMax} records`);
    this.#counter += 1;
    this.#nonce.writeUInt32BE(this.#counter, 8);
    const gcm = createCipheriv(cipher, this.#derived.key, this.#nonce, tagLength);
    gcm.setAAD(this.#aad.of(this.#keyVersion, place));
    const ciphertext = gcm.update(plaintext);
    gcm.final();
    const record = Buffer.allocUnsafe(bodyAt + ciphertext.length + tagBytes);
    record.set(this.#head);
    record.writeUInt32BE(this.#counter, counterAt);
    record.set(ciphertext, bodyAt);
    record.set(gcm.getAuthTag(), bodyAt + ciphertext.length);
    return record;
  }
}

/** Opens the records of one context. Remembers a bounded number of derived keys, because a batch's records are often read together. */
export class RecordOpener {
  readonly #keyOf: (version: number) => KeyObject | undefined;
  readonly #aad: AdditionalData;
  readonly #derived = new Map<string, DerivedKey>();
  readonly #nonce = Buffer.alloc(12);

  constructor(options: {
    readonly context: RecordContext | AdditionalData;
    readonly keyOf: (version: number) => KeyObject | undefined;
  }) {
    this.#keyOf = options.keyOf;
    this.#aad = additionalData(options.context);
  }

  /**
   * The plaintext of a record that was sealed for this very context and place. Refuses with `unavailable` when the key version is
   * not in the keyring, and with `internal` when the record was cut, changed, moved, or belongs to another cluster, purpose or key.
   */
  open(place: Place, record: Uint8Array): Buffer {
    if (record.length < recordOverheadBytes || record.length > recordOverheadBytes + recordBytesMax)
      throw broken(`has ${record.length} bytes`);
    if (record[0] !== formatVersion) throw broken(`has format ${record[0]}, not ${formatVersion}`);
    const view = Buffer.from(record.buffer, record.byteOffset, record.length);
    const derived = this.#deriveFor(view);
    if (!timingSafeEqual(view.subarray(commitAt, counterAt), derived.commit)) throw broken('belongs to another key');
    view.copy(this.#nonce, 8, counterAt, bodyAt);
    const gcm = createDecipheriv(cipher, derived.key, this.#nonce, tagLength);
    gcm.setAAD(this.#aad.of(view.readUInt32BE(1), place));
    gcm.setAuthTag(view.subarray(view.length - tagBytes));
    const plaintext = gcm.update(view.subarray(bodyAt, view.length - tagBytes));
    try {
      gcm.final();
    } catch {
      plaintext.fill(0);
      throw broken('was changed, moved, or sealed for another cluster or purpose');
    }
    return plaintext;
  }

  /** Drops the derived keys. */
  forget(): void {
    this.#derived.clear();
  }

  #deriveFor(record: Buffer): DerivedKey {
    const name = record.toString('latin1', 1, commitAt);
    const known = this.#derived.get(name);
    if (known !== undefined) return known;
    const version = record.readUInt32BE(1);
    const useKey = this.#keyOf(version);
    if (useKey === undefined)
      throw new LockstepError('unavailable', `a sealed record needs key version ${version}, which the keyring lacks`);
    const derived = deriveKey(useKey, record.subarray(saltAt, commitAt));
    if (this.#derived.size >= derivedKeysKept) {
      // A map keeps insertion order: the oldest goes.
      for (const oldest of this.#derived.keys()) {
        this.#derived.delete(oldest);
        break;
      }
    }
    this.#derived.set(name, derived);
    return derived;
  }
}

function deriveKey(useKey: KeyObject, salt: Uint8Array): DerivedKey {
  const d = createHmac('sha512', useKey).update(derivationLabel).update(salt).digest();
  const key = createSecretKey(d.subarray(0, 32));
  const commit = Buffer.from(d.subarray(32, 48));
  d.fill(0);
  return { key, commit };
}

function broken(how: string): LockstepError {
  return new LockstepError('internal', `a sealed record does not open: it ${how}`);
}

/** A context's additional data, made in one buffer of which only the key version and the place ever change: what is returned holds until the next call. */
export class AdditionalData {
  readonly #buffer: Buffer;
  readonly #placeAt: number;

  constructor(context: RecordContext) {
    const clusterId = checkedName(context.clusterId, 'cluster id');
    const purpose = checkedName(context.purpose, 'purpose');
    const head = Buffer.concat([Buffer.from([formatVersion, 0, 0, 0, 0]), clusterId, purpose]);
    this.#placeAt = head.length;
    this.#buffer = Buffer.alloc(head.length + placeBytesMax);
    this.#buffer.set(head);
  }

  of(keyVersion: number, place: Place): Buffer {
    const length = typeof place === 'string' ? Buffer.byteLength(place) : place.length;
    if (length > placeBytesMax)
      throw new LockstepError('too-large', `a sealed record's place has at most ${placeBytesMax} bytes, not ${length}`);
    this.#buffer.writeUInt32BE(keyVersion, 1);
    if (typeof place === 'string') this.#buffer.write(place, this.#placeAt, 'utf8');
    else this.#buffer.set(place, this.#placeAt);
    return this.#buffer.subarray(0, this.#placeAt + length);
  }
}

function additionalData(of: RecordContext | AdditionalData): AdditionalData {
  return of instanceof AdditionalData ? of : new AdditionalData(of);
}

function checkedName(name: string, what: string): Buffer {
  const bytes = Buffer.from(name);
  if (bytes.length === 0 || bytes.length > contextBytesMax)
    throw new LockstepError('invalid-input', `${what} must have 1 to ${contextBytesMax} bytes, not ${bytes.length}`);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
