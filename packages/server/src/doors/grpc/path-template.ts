import { LockstepError } from '@lockstep/contract/errors';
import { checkedPath } from '../request-path.ts';

type Fields = { readonly [name: string]: unknown };

/** Fills a path from a message's fields, and gives back those that it didn't use. Refuses as HTTP would refuse the path. */
export type PathTemplate = (fields: Fields) => { readonly path: string; readonly rest: { [name: string]: unknown } };

interface Hole {
  readonly field: string;
  readonly kind: 'one-segment' | 'several' | 'may-be-empty';
  readonly initial: string;
}

/** Compiles a template of the RPC table; see there. */
export function pathTemplate(template: string): PathTemplate {
  const parts: (string | Hole)[] = template
    .split(/(\{[^}]+\})/)
    .filter((part) => part !== '')
    .map((part) => (part.startsWith('{') ? holeOf(part.slice(1, -1)) : part));
  return (fields) => {
    const rest = { ...fields };
    let path = '';
    for (const part of parts) {
      if (typeof part === 'string') path += part;
      else {
        path += filled(part, fields[part.field]);
        delete rest[part.field];
      }
    }
    return { path: checkedPath(path), rest };
  };
}

function holeOf(spelled: string): Hole {
  const [field = '', initial] = spelled.split('=');
  if (initial !== undefined) return { field, kind: 'several', initial };
  if (field.endsWith('*')) return { field: field.slice(0, -1), kind: 'several', initial: '' };
  if (field.endsWith('?')) return { field: field.slice(0, -1), kind: 'may-be-empty', initial: '' };
  return { field, kind: 'one-segment', initial: '' };
}

function filled({ field, kind, initial }: Hole, sent: unknown): string {
  const value = typeof sent === 'string' && sent !== '' ? sent : initial;
  if (value.replaceAll('/', '') === '' && kind !== 'may-be-empty')
    throw new LockstepError('invalid-input', `${field} is required`);
  if (kind === 'one-segment' && value.includes('/'))
    throw new LockstepError('invalid-input', `${field} must not contain a slash`);
  return value;
}
