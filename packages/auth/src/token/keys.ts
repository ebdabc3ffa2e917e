/** Layout of the token mount. `<id>` is a token's keyed hash, never the token. */

/** The secret key of that hash. */
export const saltKey = 'salt';

export const accessorPrefix = 'accessor/';

export const tokenPrefix = 'token/';

/** The token's record. */
export function tokenKey(id: string): string {
  return `${tokenPrefix}${id}`;
}

/** Holds the id. */
export function accessorKey(accessor: string): string {
  return `${accessorPrefix}${accessor}`;
}

/** A counter; only for tokens with a bounded number of uses. */
export function usesKey(id: string): string {
  return `uses/${id}`;
}

export const duePrefix = 'due/';

/** An index by expiry for the sweeper; empty value. Fifteen digits order as numbers do, to the year 33658. */
export function dueKey(expiresMs: number, id: string): string {
  return `${duePrefix}${String(expiresMs).padStart(15, '0')}/${id}`;
}

/** When that key's token expires. */
export function timeOfDue(key: string): number {
  return Number(key.slice(duePrefix.length, duePrefix.length + 15));
}
