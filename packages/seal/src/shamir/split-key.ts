import { assert } from '@lockstep/contract/errors';
import { Secret } from '@lockstep/contract/secret';
import { combine, split } from 'shamir-secret-sharing';
import { keyBytes } from '../keyring.ts';
import { checkShareCounts } from './share-counts.ts';
import { type Share, shareOf } from './share.ts';

/**
 * Splits a wrapping key into shares of which any `threshold` rebuild it. The coefficients come from the library's own
 * cryptographic randomness. Refuses counts outside Vault's rules with `invalid-input`.
 */
export async function splitKey(options: {
  readonly key: Secret;
  readonly shares: number;
  readonly threshold: number;
  readonly setId: Uint8Array;
}): Promise<readonly Secret[]> {
  const { key, shares, threshold, setId } = options;
  checkShareCounts({ shares, threshold });
  assert(key.reveal().length === keyBytes, `a wrapping key has ${keyBytes} bytes`);
  if (shares === 1) return [shareOf(onlyPoint(key), setId)];
  // The library takes a plain Uint8Array only, not a Buffer.
  const plain = new Uint8Array(key.reveal());
  const points = await split(plain, shares, threshold);
  plain.fill(0);
  return points.map((point) => shareOf(point, setId));
}

/** Rebuilds the key from exactly `threshold` shares of one set. Whether it is the right one, only the root key's seal can tell. */
export async function combineShares(shares: readonly Share[]): Promise<Secret> {
  const [first] = shares;
  assert(first !== undefined, 'at least one share is combined');
  const points = shares.map((share) => new Uint8Array(share.point.reveal()));
  // One share alone is a constant polynomial's point: its y is the key.
  const key = shares.length === 1 ? points[0]?.slice(0, keyBytes) : await combine(points);
  for (const point of points) point.fill(0);
  assert(key !== undefined, 'a combined key');
  const secret = new Secret(Buffer.allocUnsafeSlow(keyBytes));
  secret.reveal().set(key);
  key.fill(0);
  return secret;
}

/**
 * The library wants two shares or more. For one share of one, Shamir's polynomial has degree 0: it is the constant `key`, so its
 * value at x = 1 is the key itself, and the share has the layout of every other.
 */
function onlyPoint(key: Secret): Uint8Array {
  const point = new Uint8Array(keyBytes + 1);
  point.set(key.reveal());
  point[keyBytes] = 1;
  return point;
}
