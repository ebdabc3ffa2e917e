import type { Call } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { metadataPrefix } from './keys.ts';
import { listedMax, listPageKeys } from './limits.ts';
import { nothingThere } from './replies.ts';
import { requireFolderPath } from './secret-path.ts';

/**
 * Secrets and folders (with a slash) directly below a path, in byte order; deleted secrets too, until they are removed. Nothing there is 404,
 * as in Vault. Refuses a list that would be too long unless it is asked for in pages.
 */
export async function listSecrets(
  call: Call,
  asked: { readonly path: string; readonly after: string; readonly limit: number },
): Promise<readonly string[]> {
  const prefix = `${metadataPrefix}${requireFolderPath(asked.path)}`;
  const wanted = asked.limit > 0 ? asked.limit : listedMax + 1;
  const names: string[] = [];
  let from = asked.after === '' ? prefix : behind(prefix, asked.after);
  while (names.length < wanted) {
    const page = await call.state.keys({ prefix, from, limit: listPageKeys });
    for (const key of page) {
      const name = nameOf(key.slice(prefix.length));
      if (names.at(-1) !== name) names.push(name);
    }
    if (page.length < listPageKeys) break;
    from = behind(prefix, names.at(-1) ?? '');
  }
  if (asked.limit === 0 && names.length > listedMax) {
    throw new LockstepError(
      'failed-precondition',
      `there are more than ${listedMax} keys here; list them in pages with after and limit`,
    );
  }
  if (names.length === 0) throw nothingThere();
  return names.slice(0, wanted);
}

function nameOf(rest: string): string {
  const slash = rest.indexOf('/');
  return slash < 0 ? rest : rest.slice(0, slash + 1);
}

/** The first key that can follow a name with all that lies below it: "0" is the character behind the slash. */
function behind(prefix: string, name: string): string {
  return name.endsWith('/') ? `${prefix}${name.slice(0, -1)}0` : `${prefix}${name}\0`;
}
