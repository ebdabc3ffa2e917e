import { LockstepError } from '@lockstep/contract/errors';
import { parametersMax } from './limits.ts';

/** `application/x-www-form-urlencoded`, as queries and forms carry it. A name given several times becomes a list. */
export function parseQuery(query: string): { readonly [name: string]: string | readonly string[] } {
  const parameters: { [name: string]: string | string[] } = {};
  if (query === '') return parameters;
  const pairs = query.split('&');
  if (pairs.length > parametersMax)
    throw new LockstepError('invalid-input', `query has more than ${parametersMax} parameters`);
  for (const pair of pairs) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    const name = decoded(at < 0 ? pair : pair.slice(0, at));
    const value = at < 0 ? '' : decoded(pair.slice(at + 1));
    if (name === '__proto__') throw new LockstepError('invalid-input', 'query has the forbidden parameter "__proto__"');
    const before = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (before === undefined) parameters[name] = value;
    else if (typeof before === 'string') parameters[name] = [before, value];
    else before.push(value);
  }
  return parameters;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch (cause) {
    throw new LockstepError('invalid-input', 'query has an invalid percent-encoding or is not UTF-8', { cause });
  }
}
