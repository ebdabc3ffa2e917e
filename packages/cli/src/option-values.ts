import { localFailure } from './failure.ts';

// What commander calls to read an option's value.

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw localFailure(`"${text}" must be a whole number`);
  return Number(text);
}

/** `1,2,3` */
export function versionList(text: string): readonly number[] {
  return text.split(',').map(wholeNumber);
}

/** For an option that may be given several times. */
export function several(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** `key=value` options as an object. */
export function pairsOf(pairs: readonly string[]): { [key: string]: string } {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw localFailure(`"${pair}" must be of the form key=value`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
