// Layout of a kv mount. A path comes last in each key, so that nothing in it can be taken for something else.

/** The mount's own settings. */
export const configKey = 'config';

export const metadataPrefix = 'meta/';

/** A secret's versions, without what they hold. A secret exists while this does. */
export function metadataKey(path: string): string {
  return `${metadataPrefix}${path}`;
}

/** A secret's settings; apart from its versions, so that a write can rely on them without meeting other writes. */
export function settingsKey(path: string): string {
  return `settings/${path}`;
}

/** What one version holds. */
export function versionKey(path: string, version: number): string {
  return `data/${version}/${path}`;
}
