import type { Call } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { metadataPrefix } from './keys.ts';
import { listedMax } from './limits.ts';

/** Secrets and folders (with a slash) directly below a path. Nothing there is 404, as in Vault. */
export async function listSecrets(call: Call, path: string): Promise<readonly string[]> {
  const prefix = `${metadataPrefix}${path === '' ? '' : `${path}/`}`;
  const found: string[] = [];
  let from = prefix;
  while (found.length < listedMax) {
    const [key] = await call.state.keys({ prefix, from, limit: 1 });
    if (key === undefined) break;
    const rest = key.slice(prefix.length);
    const slash = rest.indexOf('/');
    found.push(slash < 0 ? rest : rest.slice(0, slash + 1));
    // Past the whole folder: '0' is the character after '/'.
    from = slash < 0 ? `${key}\u0000` : `${prefix}${rest.slice(0, slash)}0`;
  }
  if (found.length === 0) throw new LockstepError('not-found', '');
  return found;
}
