/** Lockstep's own version. */
export const version = '0.1.0';
/** What `version` means to Vault's clients: the API level that they switch features by (Terraform panics where it isn't semver). */
export const apiLevel = '1.21.4';
/** The newest facts that this program reads and writes. */
export const factVersionKnown = 1;
