// The public keys that certificates are made for: parsed strictly from SubjectPublicKeyInfo (RFC 5280 §4.1, 5480, 8410, 3279).
import { createPublicKey, hash, type KeyObject } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import { derNull, encode, sequence } from './der.ts';
import type { DerReader } from './der-reader.ts';
import { rsaBitsMax, rsaBitsMin } from './limits.ts';
import { ecPublicKey, ed25519, p256, p384, p521, rsaEncryption } from './oids.ts';

export type KeyType = 'rsa' | 'ec' | 'ed25519';

export interface PublicKey {
  readonly type: KeyType;
  /** The modulus of RSA, the field of a curve; 0 for Ed25519, which has one size. */
  readonly bits: number;
  /** SubjectPublicKeyInfo in DER. */
  readonly spki: Uint8Array;
  /** The content of its BIT STRING: a point, an RSAPublicKey, or 32 bytes. */
  readonly raw: Uint8Array;
}

export interface Curve {
  readonly bits: number;
  readonly nodeName: string;
  readonly oid: Buffer;
  /** AlgorithmIdentifier in DER. */
  readonly algorithm: Buffer;
  readonly coordinateBytes: number;
}

/** By `key_bits`. P-224 is below what RFC 5480 §4 still recommends. */
export const curves: readonly Curve[] = [
  curve(256, 'prime256v1', p256),
  curve(384, 'secp384r1', p384),
  curve(521, 'secp521r1', p521),
];

function curve(bits: number, nodeName: string, oid: Buffer): Curve {
  return { bits, nodeName, oid, algorithm: encode(sequence(ecPublicKey, oid)), coordinateBytes: Math.ceil(bits / 8) };
}

export const rsaAlgorithm: Buffer = encode(sequence(rsaEncryption, derNull));
export const ed25519Algorithm: Buffer = encode(sequence(ed25519));

/** The subject key identifier: the leftmost 160 bits of SHA-256 over the key (RFC 7093 §2, method 1). */
export function keyIdentifier(key: PublicKey): Buffer {
  return hash('sha256', key.raw, 'buffer').subarray(0, 20);
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Reads one SubjectPublicKeyInfo. Refuses other algorithms, unusual parameters, and keys that are weak or absurd. */
export function readPublicKey(from: DerReader, field: string): PublicKey {
  const refuse = (rule: string): never => {
    throw new LockstepError('invalid-input', `${field}: ${rule}`);
  };
  const element = from.next(0x30);
  const reader = from.inside(element);
  const algorithm = reader.next(0x30).whole;
  const bits = reader.bitStringElement();
  const raw = bits.content;
  reader.finish();
  const spki = element.whole;
  if (same(algorithm, rsaAlgorithm)) return { type: 'rsa', bits: rsaBits(from.inside(bits), refuse), spki, raw };
  if (same(algorithm, ed25519Algorithm)) {
    if (raw.length !== 32) return refuse('an Ed25519 key must be 32 bytes long');
    return { type: 'ed25519', bits: 0, spki, raw };
  }
  const found = curves.find((known) => same(algorithm, known.algorithm));
  if (found === undefined)
    return refuse('the key must be RSA, Ed25519, or EC on the named curve P-256, P-384 or P-521');
  if (raw[0] !== 0x04 || raw.length !== 1 + 2 * found.coordinateBytes)
    return refuse('an EC point must be uncompressed');
  return { type: 'ec', bits: found.bits, spki, raw };
}

function rsaBits(reader: DerReader, refuse: (rule: string) => never): number {
  const inner = reader.enter(0x30);
  const modulus = inner.positiveInteger();
  const exponent = inner.positiveInteger();
  inner.finish();
  reader.finish();
  const bits = (modulus.length - 1) * 8 + (32 - Math.clz32(modulus[0] ?? 0));
  if (bits < rsaBitsMin) refuse(`RSA keys < ${rsaBitsMin} bits are unsafe and not supported`);
  if (bits > rsaBitsMax) refuse(`RSA keys > ${rsaBitsMax} bits are not supported`);
  if (((modulus.at(-1) ?? 0) & 1) === 0) refuse('an RSA modulus must be odd');
  const isSmallOdd =
    exponent.length <= 4 && ((exponent.at(-1) ?? 0) & 1) === 1 && !(exponent.length === 1 && exponent[0] === 1);
  if (!isSmallOdd) refuse('an RSA exponent must be odd, from 3 to 2^32-1');
  return bits;
}

/** The key as node:crypto takes it. Refuses a point that is not on its curve. */
export function importPublicKey(key: PublicKey, field: string): KeyObject {
  const der = Buffer.from(key.spki.buffer, key.spki.byteOffset, key.spki.length);
  try {
    return createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch (cause) {
    throw new LockstepError('invalid-input', `${field}: the public key is not valid`, { cause });
  }
}
