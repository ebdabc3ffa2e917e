import type { Capability } from '@lockstep/contract/engine';

/** What a policy says about the paths that `pattern` matches. */
export interface Rule {
  readonly pattern: Pattern;
  /** Wins over whatever other policies grant on the same pattern. */
  readonly isDeny: boolean;
  readonly capabilities: ReadonlySet<Capability>;
}

/** A rule's path. `*` at the end matches any rest, a segment `+` any one segment; everything else only itself. */
export interface Pattern {
  readonly text: string;
  /** Without the closing `*`. */
  readonly stem: string;
  readonly isPrefix: boolean;
  /** Undefined where no segment is `+`. */
  readonly segments: readonly string[] | undefined;
  /** Where the first `+` or `*` stands; Infinity for an exact path. */
  readonly firstWildcardAt: number;
  readonly wildcardSegments: number;
}

export function patternOf(text: string): Pattern {
  const isPrefix = text.endsWith('*');
  const stem = isPrefix ? text.slice(0, -1) : text;
  const segments = stem.split('/');
  const firstPlus = segments.indexOf('+');
  const plusAt =
    firstPlus < 0 ? undefined : segments.slice(0, firstPlus).reduce((at, segment) => at + segment.length + 1, 0);
  return {
    text,
    stem,
    isPrefix,
    segments: plusAt === undefined ? undefined : segments,
    firstWildcardAt: plusAt ?? (isPrefix ? stem.length : Number.POSITIVE_INFINITY),
    wildcardSegments: segments.filter((segment) => segment === '+').length,
  };
}

/**
 * Above 0 when `a` is the more specific one, 0 for the same pattern. Vault's order (its policy documentation, "priority matching"): an exact
 * path first; then the later first wildcard; no `*` at the end; fewer `+`; the longer; the greater by bytes.
 */
export function comparePatterns(a: Pattern, b: Pattern): number {
  if (a.firstWildcardAt !== b.firstWildcardAt) return a.firstWildcardAt < b.firstWildcardAt ? -1 : 1;
  if (a.isPrefix !== b.isPrefix) return a.isPrefix ? -1 : 1;
  if (a.wildcardSegments !== b.wildcardSegments) return b.wildcardSegments - a.wildcardSegments;
  if (a.text.length !== b.text.length) return a.text.length - b.text.length;
  return a.text === b.text ? 0 : a.text < b.text ? -1 : 1;
}

/** Whether the pattern matches any path that begins with `prefix`. */
export function canMatchBelow(pattern: Pattern, prefix: string): boolean {
  const wanted = pattern.stem.split('/');
  const given = prefix.split('/');
  const shorter = Math.min(wanted.length, given.length);
  for (let i = 0; i < shorter; i++) {
    const want = wanted[i] ?? '';
    const got = given[i] ?? '';
    if (want === '+') continue;
    const isWantedOpen = pattern.isPrefix && i === wanted.length - 1;
    const isGivenOpen = i === given.length - 1;
    const matches = want === got || (isWantedOpen && got.startsWith(want)) || (isGivenOpen && want.startsWith(got));
    if (!matches) return false;
  }
  // A pattern that ends before the prefix does reaches it only with an open end.
  return wanted.length >= given.length || pattern.isPrefix;
}
