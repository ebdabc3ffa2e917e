import type { Call } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { accessorPrefix } from './keys.ts';
import { listedAccessorsMax, listPageKeys } from './limits.ts';

/** Accessors in byte order, of tokens that have expired too as long as they aren't swept. Refuses a list that would be too long. */
export async function listAccessors(
  call: Call,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly string[]> {
  const wanted = page.limit > 0 ? Math.min(page.limit, listedAccessorsMax) : listedAccessorsMax + 1;
  const accessors: string[] = [];
  let from = page.after === '' ? accessorPrefix : `${accessorPrefix}${page.after}\0`;
  while (accessors.length < wanted) {
    const limit = Math.min(listPageKeys, wanted - accessors.length);
    const keys = await call.state.keys({ prefix: accessorPrefix, from, limit });
    accessors.push(...keys.map((key) => key.slice(accessorPrefix.length)));
    const last = keys.at(-1);
    if (last === undefined || keys.length < limit) break;
    from = `${last}\0`;
  }
  if (accessors.length > listedAccessorsMax) {
    throw new LockstepError(
      'failed-precondition',
      `there are more than ${listedAccessorsMax} accessors; list them in pages with after and limit`,
    );
  }
  if (accessors.length === 0) throw new LockstepError('not-found', '');
  return accessors;
}
