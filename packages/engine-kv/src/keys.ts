/** `meta/<path>`: a secret's versions. `data/<version>/<path>`: what one version holds. */
export const metadataPrefix = 'meta/';
export const configKey = 'config';

export function metadataKey(path: string): string {
  return `${metadataPrefix}${path}`;
}

export function versionKey(path: string, version: number): string {
  return `data/${version}/${path}`;
}
