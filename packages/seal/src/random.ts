import { randomFillSync } from 'node:crypto';
import { randomPoolBytes } from './limits.ts';

/** Draws `size` unpredictable bytes that nobody else is given. */
export type Random = (size: number) => Buffer;

/** The system's randomness, drawn in pools: 24 bytes cost 0.1 µs instead of 4. Bytes handed out are cleared from the pool's own hands by being the only copy. */
export function pooledRandom(): Random {
  let pool = Buffer.alloc(0);
  let used = 0;
  return (size) => {
    if (size > randomPoolBytes / 4) return randomFillSync(Buffer.allocUnsafeSlow(size));
    if (used + size > pool.length) {
      pool = randomFillSync(Buffer.allocUnsafeSlow(randomPoolBytes));
      used = 0;
    }
    used += size;
    return pool.subarray(used - size, used);
  };
}
