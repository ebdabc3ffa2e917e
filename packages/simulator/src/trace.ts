/** What happened, as one hash: two runs of a seed are the same run if theirs are equal. `watch` also sees it as text. */
export class Trace {
  readonly #watch: ((line: string) => void) | undefined;
  #low = 0x811c9dc5;
  #high = 0x9e3779b9;
  eventCount = 0;

  constructor(watch: ((line: string) => void) | undefined) {
    this.#watch = watch;
  }

  /** Notes that something happened at a time: its kind, and what tells it from others of that kind. */
  note(atMs: number, kind: string, ...details: readonly (number | string)[]): void {
    this.eventCount++;
    this.#number(atMs * 1000);
    this.#text(kind);
    for (const detail of details) {
      if (typeof detail === 'number') this.#number(detail);
      else this.#text(detail);
    }
    this.#watch?.(lineOf(atMs, `${kind} ${details.join(' ')}`));
  }

  /** Tells who watches something that the hash need not have: what led to it is in there. `what` is made only if somebody watches. */
  tell(atMs: number, what: () => string | undefined): void {
    if (this.#watch === undefined) return;
    const text = what();
    if (text !== undefined) this.#watch(lineOf(atMs, text));
  }

  hash(): string {
    return (this.#high >>> 0).toString(16).padStart(8, '0') + (this.#low >>> 0).toString(16).padStart(8, '0');
  }

  #number(value: number): void {
    this.#word(value | 0);
    this.#word(Math.floor(value / 2 ** 32) | 0);
  }

  #text(text: string): void {
    for (let at = 0; at < text.length; at++) this.#word(text.charCodeAt(at));
  }

  #word(word: number): void {
    this.#low = Math.imul(this.#low ^ word, 0x01000193);
    this.#high = (Math.imul(this.#high ^ this.#low, 0x85ebca6b) << 13) | (this.#high >>> 19);
  }
}

function lineOf(atMs: number, text: string): string {
  return `${(atMs / 1000).toFixed(6).padStart(12)} s  ${text.trimEnd()}`;
}
