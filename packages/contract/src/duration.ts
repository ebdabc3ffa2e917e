import { fieldError } from './errors.ts';

const secondsIn: { readonly [unit: string]: number } = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
};
/** 2^53-1 milliseconds could still be added to a time; a hundred years is enough for anything and far below it. */
export const durationSecondsMax: number = 100 * 366 * 86_400;

/**
 * Seconds from what Vault's clients send: a number of seconds, "3600", or Go's form with days ("1h30m", "30d", "1.5h").
 * Fractions of a second are dropped. Refuses a negative, malformed or absurdly long one, naming the field.
 */
export function parseDuration(field: string, raw: unknown): number {
  const seconds = typeof raw === 'number' ? raw : typeof raw === 'string' ? secondsOf(raw.trim()) : undefined;
  if (seconds === undefined || !Number.isFinite(seconds)) {
    throw fieldError(field, 'must be a duration such as 3600, "90s" or "1h30m"');
  }
  if (seconds < 0) throw fieldError(field, 'must not be negative');
  if (seconds > durationSecondsMax) throw fieldError(field, 'is longer than 100 years');
  return Math.floor(seconds);
}

function secondsOf(text: string): number | undefined {
  if (text === '') return 0;
  if (/^-?\d+$/.test(text)) return Number(text);
  const sign = text.startsWith('-') ? -1 : 1;
  const body = text.replace(/^[+-]/, '');
  const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d)/y;
  let total = 0;
  let at = 0;
  while (at < body.length) {
    part.lastIndex = at;
    const found = part.exec(body);
    const unit = found?.[2];
    if (found === null || unit === undefined) return undefined;
    total += Number(found[1]) * (secondsIn[unit] ?? Number.NaN);
    at = part.lastIndex;
  }
  return at === 0 ? undefined : sign * total;
}

/** Seconds as Go prints them: `768h0m0s`, `1m0s`, `2.5s`, `20ms`. Parts of a millisecond are dropped. */
export function goDuration(seconds: number): string {
  const ms = Math.floor(seconds * 1_000);
  if (ms > 0 && ms < 1_000) return `${ms}ms`;
  const [hours, minutes, rest] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, (ms % 60_000) / 1_000];
  if (hours > 0) return `${hours}h${minutes}m${rest}s`;
  return minutes > 0 ? `${minutes}m${rest}s` : `${rest}s`;
}
