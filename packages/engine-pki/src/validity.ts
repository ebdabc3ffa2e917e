// How long a certificate is good for. All times come from the call; certificates hold whole seconds.
import { goDuration } from '@lockstep/contract/duration';
import type { Call } from '@lockstep/contract/engine';
import { fieldError, LockstepError } from '@lockstep/contract/errors';
import { isoTime } from './iso-time.ts';
import { lastTimeMs } from './limits.ts';
import type { ParsedIssuer } from './load-issuer.ts';
import type { Role } from './records.ts';

export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly warnings: readonly string[];
}

export interface AskedValidity {
  /** Seconds; undefined and 0 leave it to the role. */
  readonly ttl: number | undefined;
  /** RFC 3339. */
  readonly notAfter: string | undefined;
}

export type TimeOfCall = Pick<Call, 'now' | 'mount'>;

/**
 * A leaf's validity: as asked, within the role's and the mount's longest TTL, and within the issuer's own as that issuer's
 * `leaf_not_after_behavior` says.
 */
export function leafValidity(call: TimeOfCall, role: Role, issuer: ParsedIssuer, asked: AskedValidity): Validity {
  if (issuer.certificate.notAfterMs <= call.now)
    throw new LockstepError(
      'failed-precondition',
      `the CA certificate expired at ${isoTime(issuer.certificate.notAfterMs)}`,
    );
  const limits = {
    ...(role.ttl === 0 ? mountDefault(call) : { defaultSeconds: role.ttl, isDefaultChosen: true }),
    maxSeconds: shorter(role.max_ttl, call.mount.maxLeaseTtlSeconds),
  };
  const fixed = fixedEnd(role, asked);
  const wanted = requestedEnd(call, limits, { ...asked, notAfter: fixed });
  if (fixed !== undefined && asked.notAfter !== undefined) checkEndBound(call, role, { ...wanted, ...limits });
  const isAsked = fixed !== undefined || (asked.ttl ?? 0) !== 0 || role.ttl !== 0;
  // A length that nobody chose, the mount's default, is no reason to refuse.
  const end = withinIssuer(wanted.notAfterMs, issuer, isAsked ? issuer.record.leafNotAfterBehavior : 'truncate');
  return {
    notBeforeMs: wholeSeconds(call.now) - role.not_before_duration * 1000,
    notAfterMs: end.notAfterMs,
    warnings: [...wanted.warnings, ...end.warnings],
  };
}

interface TtlLimits {
  readonly defaultSeconds: number;
  /** Somebody has chosen it, for this role: then it isn't cut without a word. */
  readonly isDefaultChosen: boolean;
  readonly maxSeconds: number;
}

/** A certificate authority's own validity: its TTL is limited by the mount only. */
export function rootValidity(call: TimeOfCall, notBeforeSeconds: number, asked: AskedValidity): Validity {
  const limits = { ...mountDefault(call), maxSeconds: call.mount.maxLeaseTtlSeconds };
  const { notAfterMs, warnings } = requestedEnd(call, limits, asked);
  return { notBeforeMs: wholeSeconds(call.now) - notBeforeSeconds * 1000, notAfterMs, warnings };
}

function mountDefault(call: TimeOfCall): Pick<TtlLimits, 'defaultSeconds' | 'isDefaultChosen'> {
  return { defaultSeconds: call.mount.defaultLeaseTtlSeconds, isDefaultChosen: false };
}

/** A role's own `not_after` stands unless the request names one. */
function fixedEnd(role: Role, asked: AskedValidity): string | undefined {
  if (asked.notAfter !== undefined && asked.notAfter !== '') return asked.notAfter;
  const namesTtl = asked.ttl !== undefined && asked.ttl !== 0;
  return role.not_after === '' || namesTtl ? undefined : role.not_after;
}

function requestedEnd(
  call: TimeOfCall,
  { defaultSeconds, isDefaultChosen, maxSeconds }: TtlLimits,
  { ttl, notAfter }: AskedValidity,
): { notAfterMs: number; warnings: readonly string[] } {
  const namesTtl = ttl !== undefined && ttl !== 0;
  if (notAfter !== undefined && notAfter !== '') {
    if (namesTtl)
      throw new LockstepError(
        'invalid-input',
        'Either ttl or not_after should be provided. Both should not be provided in the same request.',
      );
    const notAfterMs = parseTime('not_after', notAfter);
    if (notAfterMs <= call.now) throw new LockstepError('invalid-input', `not_after ${notAfter} is in the past`);
    return { notAfterMs, warnings: [] };
  }
  const seconds = namesTtl ? ttl : defaultSeconds;
  const allowed = Math.min(seconds, maxSeconds);
  const isCut = (namesTtl || isDefaultChosen) && allowed < seconds;
  return {
    notAfterMs: Math.min(wholeSeconds(call.now) + allowed * 1000, lastTimeMs),
    warnings: isCut
      ? [
          `TTL "${goDuration(seconds)}" is longer than permitted maxTTL "${goDuration(maxSeconds)}", so maxTTL is being used`,
        ]
      : [],
  };
}

/** What `not_after_bound` says of a request's `not_after`. */
function checkEndBound(call: TimeOfCall, role: Role, asked: TtlLimits & { readonly notAfterMs: number }): void {
  const refuse = (limit: string): never => {
    throw new LockstepError('invalid-input', `not_after is later than this role allows: ${limit}`);
  };
  switch (role.not_after_bound) {
    case 'permit':
      return;
    case 'forbid':
      throw new LockstepError(
        'invalid-input',
        'not_after is not allowed by this role: its not_after_bound is "forbid"',
      );
    case 'ttl-limited':
      if (asked.notAfterMs > wholeSeconds(call.now) + asked.maxSeconds * 1000)
        refuse(`its longest TTL is ${asked.maxSeconds}s, and its not_after_bound is "ttl-limited"`);
      return;
    default:
      if (asked.notAfterMs > parseTime('not_after_bound', role.not_after_bound))
        refuse(`its not_after_bound is ${role.not_after_bound}`);
  }
}

function withinIssuer(
  notAfterMs: number,
  issuer: ParsedIssuer,
  behavior: string,
): { notAfterMs: number; warnings: readonly string[] } {
  const issuerEndMs = issuer.certificate.notAfterMs;
  if (notAfterMs <= issuerEndMs || behavior === 'permit') return { notAfterMs, warnings: [] };
  if (behavior === 'truncate')
    return { notAfterMs: issuerEndMs, warnings: [`the certificate ends with its CA at ${isoTime(issuerEndMs)}`] };
  throw new LockstepError(
    'invalid-input',
    `cannot satisfy request, as TTL would result in notAfter of ${isoTime(notAfterMs)} that is beyond the expiration of the CA certificate at ${isoTime(issuerEndMs)}`,
  );
}

const shorter = (seconds: number, limit: number): number => (seconds === 0 ? limit : Math.min(seconds, limit));
const wholeSeconds = (ms: number): number => Math.floor(ms / 1000) * 1000;

/** Milliseconds of an RFC 3339 time, to the second. Refuses a date that doesn't exist. */
export function parseTime(field: string, text: string): number {
  const found = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/.exec(text);
  const local = found === null ? Number.NaN : Date.parse(`${found[1]}Z`);
  const ms = found === null ? Number.NaN : Date.parse(`${found[1]}${found[2]}`);
  const isReal = !Number.isNaN(ms) && new Date(local).toISOString().slice(0, 19) === found?.[1];
  if (!isReal || ms > lastTimeMs || ms < 0) throw fieldError(field, 'must be a time such as 2030-01-31T00:00:00Z');
  return ms;
}
