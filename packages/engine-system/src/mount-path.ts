import { LockstepError } from '@lockstep/contract/errors';
import type { MountTable } from './mount-table.ts';
import { mountPathLengthMax } from './limits.ts';

/** Paths that belong to the system itself. */
const reserved: readonly string[] = ['sys/', 'auth/', 'cubbyhole/', 'identity/', 'audit/', 'root/'];

/** The path with its trailing slash. Refuses what can't be a mount's path. */
export function requireMountPath(path: string): string {
  const refuse = (rule: string): never => {
    throw new LockstepError('invalid-input', `mount path ${rule}`);
  };
  const trimmed = path.replace(/\/+$/, '');
  if (trimmed === '') return refuse('must not be empty');
  if (trimmed.length > mountPathLengthMax) return refuse(`must be at most ${mountPathLengthMax} characters long`);
  if (!/^[A-Za-z0-9._~-]+(\/[A-Za-z0-9._~-]+)*$/.test(trimmed))
    return refuse('may hold ascii letters, digits, ".", "_", "~", "-" and single slashes only');
  if (trimmed.split('/').some((segment) => segment === '.' || segment === '..'))
    return refuse('must not have dot segments');
  return `${trimmed}/`;
}

/**
 * Refuses a path that is taken, or that lies within another mount or around one. Spellings of one path in upper and lower case count as the
 * same: a policy's deny holds for all of them.
 */
export function requireFreePath(table: MountTable, path: string): void {
  const folded = path.toLowerCase();
  const taken = [...reserved, ...table.mounts.map((mount) => mount.path)].find((other) => {
    const foldedOther = other.toLowerCase();
    return folded.startsWith(foldedOther) || foldedOther.startsWith(folded);
  });
  // Vault's words: scripts match on them.
  if (taken !== undefined) throw new LockstepError('invalid-input', `path is already in use at ${taken}`);
}
