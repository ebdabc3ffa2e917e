export type Sabotage = 'stale-reads' | 'ack-before-quorum' | 'forgets-keys';

/** Builds of the node that are wrong on purpose, each a module for `node --import`: chaos must find every one of them out. */
export const sabotages: { readonly [S in Sabotage]: string } = {
  'stale-reads': new URL('../revocation/sabotage.mjs', import.meta.url).href,
  'ack-before-quorum': new URL('../demo/sabotage.mjs', import.meta.url).href,
  'forgets-keys': new URL('./forgets-keys.mjs', import.meta.url).href,
};

export function isSabotage(name: unknown): name is Sabotage {
  return typeof name === 'string' && Object.hasOwn(sabotages, name);
}
