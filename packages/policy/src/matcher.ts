import { comparePatterns, type Rule } from './rule.ts';

/** Finds the most specific of one policy's rules for a path, without looking at every rule. */
export class Matcher {
  readonly #exact: ReadonlyMap<string, Rule>;
  /** The stems of rules that end in `*` and have no `+`, by stem. */
  readonly #prefixes: ReadonlyMap<string, Rule>;
  /** Their distinct lengths, longest first. */
  readonly #prefixLengths: readonly number[];
  /** Rules with a `+`, the most specific first. */
  readonly #segmented: readonly Rule[];

  /** Of several rules with the same pattern the last one counts; `compilePolicy` leaves no two. */
  constructor(rules: readonly Rule[]) {
    const plain = rules.filter(({ pattern }) => pattern.segments === undefined);
    const byStem = (isPrefix: boolean): Map<string, Rule> =>
      new Map(plain.filter(({ pattern }) => pattern.isPrefix === isPrefix).map((rule) => [rule.pattern.stem, rule]));
    this.#exact = byStem(false);
    this.#prefixes = byStem(true);
    this.#prefixLengths = [...new Set([...this.#prefixes.keys()].map((stem) => stem.length))].sort((a, b) => b - a);
    this.#segmented = rules
      .filter(({ pattern }) => pattern.segments !== undefined)
      .sort((a, b) => comparePatterns(b.pattern, a.pattern));
  }

  exact(path: string): Rule | undefined {
    return this.#exact.get(path);
  }

  /** The most specific rule with a wildcard that matches. */
  wild(path: string): Rule | undefined {
    const prefix = this.#longestPrefix(path);
    const segmented = this.#segmented.length === 0 ? undefined : this.#firstSegmented(path);
    if (prefix === undefined || segmented === undefined) return prefix ?? segmented;
    return comparePatterns(prefix.pattern, segmented.pattern) > 0 ? prefix : segmented;
  }

  #longestPrefix(path: string): Rule | undefined {
    for (const length of this.#prefixLengths) {
      if (length > path.length) continue;
      const rule = this.#prefixes.get(path.slice(0, length));
      if (rule !== undefined) return rule;
    }
    return undefined;
  }

  #firstSegmented(path: string): Rule | undefined {
    const segments = path.split('/');
    return this.#segmented.find(
      ({ pattern }) => pattern.segments !== undefined && matches(pattern.segments, pattern.isPrefix, segments),
    );
  }
}

function matches(wanted: readonly string[], isPrefix: boolean, segments: readonly string[]): boolean {
  if (isPrefix ? segments.length < wanted.length : segments.length !== wanted.length) return false;
  for (let i = 0; i < wanted.length; i++) {
    const want = wanted[i] ?? '';
    const got = segments[i] ?? '';
    const isOpenEnd = isPrefix && i === wanted.length - 1;
    if (want !== '+' && (isOpenEnd ? !got.startsWith(want) : got !== want)) return false;
  }
  return true;
}
