// Signatures over DER by a certificate authority's key.
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { bitString, type Der, derNull, encode, sequence } from './der.ts';
import * as oids from './oids.ts';
import type { AuthorityKey } from './records.ts';

/** A private key ready to sign. */
export interface SigningKey {
  readonly record: AuthorityKey;
  readonly key: KeyObject;
}

export interface SignatureAlgorithm {
  readonly hash: string | null;
  /** AlgorithmIdentifier in DER. */
  readonly der: Buffer;
}

const algorithm = (hash: string | null, ...parts: readonly Buffer[]): SignatureAlgorithm => ({
  hash,
  der: encode(sequence(...parts)),
});

const ed25519 = algorithm(null, oids.ed25519);
/** By the curve: RFC 5758 §3.2 with a hash as long as the curve. */
const ecdsa: { readonly [bits: number]: SignatureAlgorithm } = {
  256: algorithm('sha256', oids.ecdsaSha256),
  384: algorithm('sha384', oids.ecdsaSha384),
  521: algorithm('sha512', oids.ecdsaSha512),
};
/** By `signature_bits`: RFC 4055 §5. */
const rsa: { readonly [bits: number]: SignatureAlgorithm } = {
  0: algorithm('sha256', oids.rsaSha256, derNull),
  256: algorithm('sha256', oids.rsaSha256, derNull),
  384: algorithm('sha384', oids.rsaSha384, derNull),
  512: algorithm('sha512', oids.rsaSha512, derNull),
};

export const signatureBitsAllowed: readonly number[] = [0, 256, 384, 512];

/** `signatureBits` chooses the hash for RSA; a curve has its own, and Ed25519 none. */
export function signatureAlgorithm(key: AuthorityKey, signatureBits: number): SignatureAlgorithm {
  const found = key.type === 'ed25519' ? ed25519 : key.type === 'ec' ? ecdsa[key.bits] : rsa[signatureBits];
  if (found === undefined) throw new Error(`invariant broken: no signature algorithm for ${key.type} ${key.bits}`);
  return found;
}

const all = [ed25519, ...Object.values(ecdsa), ...Object.values(rsa)];

/** The algorithm that an AlgorithmIdentifier names, or undefined where this engine never signs by it. */
export function algorithmOf(der: Uint8Array): SignatureAlgorithm | undefined {
  return all.find((known) => known.der.equals(der));
}

/** `SEQUENCE { toBeSigned, algorithm, signature }`: a certificate, a CRL. */
export function signed(toBeSigned: Der, key: SigningKey, { hash, der }: SignatureAlgorithm): Buffer {
  const bytes = encode(toBeSigned);
  return encode(sequence(bytes, der, bitString(sign(hash, bytes, key.key))));
}

export function signingKey(record: AuthorityKey): SigningKey {
  return { record, key: createPrivateKey({ key: Buffer.from(record.pkcs8), format: 'der', type: 'pkcs8' }) };
}
