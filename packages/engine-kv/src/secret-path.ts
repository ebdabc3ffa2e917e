import { LockstepError } from '@lockstep/contract/errors';
import { type FieldSpec, textField } from '@lockstep/contract/fields';
import { pathLengthMax } from './limits.ts';

/** The rest of a route's path. Checked by `requireSecretPath`, since a list may also name a folder or nothing. */
export const pathField: FieldSpec<string> = textField({
  description: 'Path of the secret',
  default: '',
  max: pathLengthMax,
});

/** Refuses what can't be a secret's path, so that each secret has one path only. Case counts. */
export function requireSecretPath(path: string): string {
  const refuse = (rule: string): never => {
    throw new LockstepError('invalid-input', `path ${rule}`);
  };
  if (path === '') refuse('must not be empty');
  if (path.length > pathLengthMax) refuse(`must be at most ${pathLengthMax} characters long`);
  const segments = path.split('/');
  if (segments.includes('')) refuse('must not have empty segments');
  if (segments.includes('.') || segments.includes('..')) refuse('must not have dot segments');
  if (Array.from(path).some((character) => character < ' ' || character === '\u007f'))
    refuse('must not hold control characters');
  if (!path.isWellFormed() || path.normalize('NFC') !== path) refuse('must be Unicode in its composed form (NFC)');
  return path;
}

/** A folder's path with its trailing slash; empty for the top. */
export function requireFolderPath(path: string): string {
  const bare = path.endsWith('/') ? path.slice(0, -1) : path;
  return bare === '' ? '' : `${requireSecretPath(bare)}/`;
}
