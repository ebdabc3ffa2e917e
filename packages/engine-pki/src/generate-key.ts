// New key pairs. Curve keys are drawn from the call's randomness and written as DER here: exporting them through OpenSSL's encoders
// costs more than signing does.
import { createECDH, createPrivateKey, createPublicKey } from 'node:crypto';
import type { Call } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { bitString, type Der, encode, explicit, integer, octetString, sequence } from './der.ts';
import type { GeneratedRsaKey } from './generate-rsa-key.ts';
import { keyDrawsMax } from './limits.ts';
import { type Curve, curves, ed25519Algorithm, type KeyType, type PublicKey, rsaAlgorithm } from './public-key.ts';

export interface KeySpec {
  readonly type: KeyType;
  /** 0 is the type's default: P-256, RSA-2048. */
  readonly bits: number;
}

export interface KeyPair {
  readonly publicKey: PublicKey;
  readonly pkcs8: Buffer;
  /** The older form of each type: `EC PRIVATE KEY`, `RSA PRIVATE KEY`; Ed25519 has none but PKCS #8. */
  readonly traditional: { readonly label: string; readonly der: Buffer };
}

const rsaSizes: readonly number[] = [2048, 3072, 4096];

/** The key that a type and a size ask for. Refuses sizes that this engine doesn't make, naming `key_bits`. */
export function keySpec(type: KeyType, bits: number): KeySpec {
  const allowed = type === 'rsa' ? rsaSizes : type === 'ec' ? curves.map((curve) => curve.bits) : [];
  if (type === 'ed25519') {
    if (bits !== 0 && bits !== 256)
      throw new LockstepError('invalid-input', 'key_bits must be 0 for keys of type ed25519');
    return { type, bits: 0 };
  }
  const size = bits === 0 ? (allowed[0] ?? 0) : bits;
  if (!allowed.includes(size))
    throw new LockstepError('invalid-input', `key_bits must be one of ${allowed.join(', ')} for keys of type ${type}`);
  return { type, bits: size };
}

export async function generateKey(call: Pick<Call, 'random' | 'offload'>, spec: KeySpec): Promise<KeyPair> {
  if (spec.type === 'rsa') return await rsaKey(call, spec.bits);
  if (spec.type === 'ed25519') return ed25519Key(call);
  const curve = curves.find(({ bits }) => bits === spec.bits);
  if (curve === undefined) throw new LockstepError('invalid-input', `there is no curve of ${spec.bits} bits`);
  return curveKey(curve, call.random);
}

async function rsaKey(call: Pick<Call, 'offload'>, bits: number): Promise<KeyPair> {
  const made = await call.offload<GeneratedRsaKey>({
    // Beside this file, whether it runs as it is or compiled.
    module: new URL(import.meta.url.replace(/generate-key(\.[a-z]+)$/, 'generate-rsa-key$1')),
    exportName: 'generateRsaKey',
    argument: bits,
  });
  const raw = made.publicPkcs1;
  return {
    publicKey: { type: 'rsa', bits, raw, spki: encode(sequence(rsaAlgorithm, bitString(raw))) },
    pkcs8: Buffer.from(made.pkcs8),
    traditional: { label: 'RSA PRIVATE KEY', der: Buffer.from(made.pkcs1) },
  };
}

function ed25519Key(call: Pick<Call, 'random'>): KeyPair {
  const pkcs8 = encode(sequence(integer(0), ed25519Algorithm, octetString(octetString(call.random(32)))));
  const spki = createPublicKey(createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })).export({
    type: 'spki',
    format: 'der',
  });
  return {
    publicKey: { type: 'ed25519', bits: 0, spki, raw: spki.subarray(-32) },
    pkcs8,
    traditional: { label: 'PRIVATE KEY', der: pkcs8 },
  };
}

/** Both forms of one curve's keys, with all that never changes written once. */
interface CurveWriter {
  readonly ecdh: ReturnType<typeof createECDH>;
  readonly parameters: Buffer;
}

const curveWriters: ReadonlyMap<Curve, CurveWriter> = new Map(
  curves.map((curve) => [
    curve,
    {
      ecdh: createECDH(curve.nodeName),
      parameters: encode(explicit(0, curve.oid)),
    },
  ]),
);

const one = encode(integer(1));
const none = encode(integer(0));

function curveKey(curve: Curve, random: (size: number) => Buffer): KeyPair {
  const writer = curveWriters.get(curve);
  if (writer === undefined) throw new Error(`invariant broken: no writer for ${curve.nodeName}`);
  const { secret, point } = drawScalar(writer.ecdh, curve, random);
  const publicBits: Der = explicit(1, bitString(point));
  const scalar = octetString(secret);
  return {
    publicKey: { type: 'ec', bits: curve.bits, raw: point, spki: encode(sequence(curve.algorithm, bitString(point))) },
    get pkcs8() {
      return encode(sequence(none, curve.algorithm, octetString(sequence(one, scalar, publicBits))));
    },
    get traditional() {
      return { label: 'EC PRIVATE KEY', der: encode(sequence(one, scalar, writer.parameters, publicBits)) };
    },
  };
}

/** FIPS 186-5 A.2.2: draws until the number is a key of the curve, which the first one nearly always is. */
function drawScalar(
  ecdh: CurveWriter['ecdh'],
  curve: Curve,
  random: (size: number) => Buffer,
): { secret: Buffer; point: Buffer } {
  const unused = curve.coordinateBytes * 8 - curve.bits;
  for (let draw = 0; draw < keyDrawsMax; draw++) {
    const secret = Buffer.from(random(curve.coordinateBytes));
    secret[0] = (secret[0] ?? 0) & (0xff >> unused);
    if (!isKeyOf(curve, secret)) continue;
    ecdh.setPrivateKey(secret);
    return { secret, point: ecdh.getPublicKey() };
  }
  throw new LockstepError('internal', `no private key in ${keyDrawsMax} draws: the source of randomness is broken`);
}

/** The orders of the curves' base points (SEC 2 §2.4.2, §2.5.1, §2.6.1). */
const orders: { readonly [bits: number]: Buffer } = {
  256: Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex'),
  384: Buffer.from(
    'ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973',
    'hex',
  ),
  521: Buffer.from(
    '01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409',
    'hex',
  ),
};

function isKeyOf(curve: Curve, secret: Buffer): boolean {
  const order = orders[curve.bits];
  return order !== undefined && secret.compare(order) < 0 && secret.some((byte) => byte !== 0);
}
