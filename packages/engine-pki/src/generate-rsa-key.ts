// Runs in a worker thread (see Call.offload): searching for primes takes 60 ms to seconds.
import { generateKeyPairSync } from 'node:crypto';

export interface GeneratedRsaKey {
  readonly pkcs1: Uint8Array;
  readonly pkcs8: Uint8Array;
  readonly publicPkcs1: Uint8Array;
}

/** `bits` is 2048, 3072 or 4096; the exponent is 65537. */
export function generateRsaKey(bits: number): GeneratedRsaKey {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: bits, publicExponent: 0x10001 });
  return {
    pkcs1: privateKey.export({ type: 'pkcs1', format: 'der' }),
    pkcs8: privateKey.export({ type: 'pkcs8', format: 'der' }),
    publicPkcs1: publicKey.export({ type: 'pkcs1', format: 'der' }),
  };
}
