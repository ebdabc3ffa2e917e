import { goDuration } from '@lockstep/contract/duration';
import type { MountView } from '@lockstep/contract/engine';

export interface Ttl {
  readonly seconds: number;
  readonly warnings: readonly string[];
}

/**
 * The time to live that is given for the one that is asked for: the mount's default when none is, never past the mount's largest, nor
 * past the token's own explicit maximum. `ageSeconds` is what has passed of both.
 */
export function grantTtl(
  mount: MountView,
  asked: {
    readonly ttlSeconds: number;
    readonly periodSeconds: number;
    readonly explicitMaxTtlSeconds: number;
    readonly ageSeconds: number;
  },
): Ttl {
  const { periodSeconds, explicitMaxTtlSeconds, ageSeconds } = asked;
  const isPeriodic = periodSeconds > 0;
  const wanted = isPeriodic ? periodSeconds : asked.ttlSeconds > 0 ? asked.ttlSeconds : mount.defaultLeaseTtlSeconds;
  // Each renewal gives a periodic token its whole period, so that it may live for ever; only an explicit maximum ends it.
  const mountMax = isPeriodic ? mount.maxLeaseTtlSeconds : mount.maxLeaseTtlSeconds - ageSeconds;
  const explicitMax = explicitMaxTtlSeconds > 0 ? explicitMaxTtlSeconds - ageSeconds : Number.POSITIVE_INFINITY;
  const seconds = Math.max(0, Math.min(wanted, mountMax, explicitMax));
  const wasAsked = isPeriodic || asked.ttlSeconds > 0;
  return {
    seconds,
    warnings:
      seconds < wanted && wasAsked
        ? [
            `TTL of "${goDuration(wanted)}" exceeded the effective max_ttl of "${goDuration(seconds)}"; TTL value is capped accordingly`,
          ]
        : [],
  };
}
