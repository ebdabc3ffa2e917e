// Lists, one bounded page at a time.
import type { Decision } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { type FieldSpec, integerField, textField } from '@lockstep/contract/fields';
import type { ReadableState } from '@lockstep/contract/state';
import type { PkiFact } from './facts.ts';
import { listDefault, serialTextMax } from './limits.ts';

export interface PageValues {
  readonly after: string;
  readonly limit: number;
}
export const pageFields: { readonly [K in keyof PageValues]: FieldSpec<PageValues[K]> } = {
  after: textField({ default: '', max: serialTextMax, description: 'goes on after this key of an earlier page' }),
  limit: integerField({ default: 0, max: listDefault, description: `at most this many keys; 0 is ${listDefault}` }),
};

export interface Page {
  /** What follows the prefix. */
  readonly names: readonly string[];
  readonly isCut: boolean;
}

/** Keys below a prefix, without it, after `after`. */
export async function pageOf(state: ReadableState, prefix: string, { after, limit }: PageValues): Promise<Page> {
  const wanted = limit === 0 ? listDefault : limit;
  // No key lies between a name and the name with U+0000, so this begins just after it.
  const from = after === '' ? prefix : `${prefix}${after}\0`;
  const keys = await state.keys({ prefix, from, limit: wanted + 1 });
  return { names: keys.slice(0, wanted).map((key) => key.slice(prefix.length)), isCut: keys.length > wanted };
}

/** Nothing to list is 404, as in Vault. A page that nobody asked to be short says that there is more. */
export function listReply({ names, isCut }: Page, nameOf: (rest: string) => string): Decision<PkiFact> {
  if (names.length === 0) throw new LockstepError('not-found', '');
  const data = { keys: names.map(nameOf) };
  return { reply: isCut ? { data, warnings: [cutWarning(names.length, data.keys.at(-1) ?? '')] } : { data } };
}

export function cutWarning(count: number, last: string): string {
  return `the list is cut after ${count} keys; go on with after=${last}`;
}
