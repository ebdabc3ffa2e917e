/** `pki/tune` is the settings of `pki`; undefined for every other path. */
export function tunePath(at: string): string | undefined {
  return at.endsWith('/tune') ? at.slice(0, -'/tune'.length) : undefined;
}
