/** A command line that can't be meant. */
export class UsageError extends Error {}

/** The options that were given to a benchmark, checked as they are read. */
export class Choices {
  readonly #values: { readonly [name: string]: string | boolean | undefined };

  constructor(values: { readonly [name: string]: string | boolean | undefined }) {
    this.#values = values;
  }

  /** A whole number from 1 to `max`. */
  count(name: string, fallback: number, max: number): number {
    const value = Number(this.#values[name] ?? fallback);
    if (!Number.isSafeInteger(value) || value < 1 || value > max)
      throw new UsageError(`--${name} must be a whole number from 1 to ${max}`);
    return value;
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined;
  }

  requireAtMostOne(names: readonly string[]): void {
    const given = names.filter((name) => this.has(name));
    if (given.length > 1) throw new UsageError(`--${given.join(' and --')} exclude each other`);
  }

  text(name: string, fallback: string): string {
    return String(this.#values[name] ?? fallback);
  }

  oneOf<T extends string>(name: string, among: readonly T[]): T {
    const value = this.#values[name] ?? among[0];
    const found = among.find((candidate) => candidate === value);
    if (found === undefined) throw new UsageError(`--${name} must be ${among.join(' or ')}`);
    return found;
  }
}
