import { describe, expect, it } from 'vitest';
import { type Operation, routesOf } from './engine.ts';
import { RouteTable } from './route-table.ts';

const route = routesOf<never>();
const row = (operation: Operation, path: string) =>
  route({ operation, path, summary: `${operation} ${path}`, fields: {}, handle: () => ({ reply: {} }) });

const table = new RouteTable([
  row('read', ''),
  row('list', 'roles'),
  row('read', 'roles/:name'),
  row('write', 'roles/:name'),
  row('read', 'issuer/:issuer/crl'),
  row('read', 'issuer/default/crl'),
  row('read', 'data/:path*'),
  row('list', 'data/:path*'),
  row('read', 'data/fixed'),
]);

function found(operation: Operation, path: string): string {
  const lookup = table.find(operation, path);
  if (lookup.kind !== 'found') return lookup.kind;
  const parameters = Object.entries(lookup.match.parameters).map(([name, value]) => `${name}=${value}`);
  return [lookup.match.route.path, ...parameters].join(' ');
}

describe('a path', () => {
  it.each([
    ['read', 'unknown', 'none'],
    ['read', 'roles/a/b', 'none'],
    ['read', 'issuer/default', 'none'],
    ['delete', 'roles/a', 'other-operations'],
    ['read', 'roles', 'other-operations'],
    ['patch', 'data/a', 'other-operations'],
  ] as const)('%s %s leads to nothing: %s', (operation, path, kind) => {
    expect(found(operation, path)).toBe(kind);
  });

  it.each([
    ['read', '', ''],
    ['list', 'roles', 'roles'],
    ['list', 'roles/', 'roles'],
    ['read', 'roles/web', 'roles/:name name=web'],
    ['write', 'roles/web', 'roles/:name name=web'],
    ['read', 'roles/__proto__', 'roles/:name name=__proto__'],
    ['read', 'issuer/a/crl', 'issuer/:issuer/crl issuer=a'],
    ['read', 'data/a/b/c', 'data/:path* path=a/b/c'],
    ['list', 'data/a/', 'data/:path* path=a'],
    ['list', 'data/', 'data/:path* path='],
    ['list', 'data', 'data/:path* path='],
  ] as const)('%s %s leads to %s', (operation, path, expected) => {
    expect(found(operation, path)).toBe(expected.trim());
  });

  it('leads to the row with more literal segments, whatever the order of rows', () => {
    expect(found('read', 'issuer/default/crl')).toBe('issuer/default/crl');
    expect(found('read', 'data/fixed')).toBe('data/fixed');
  });

  it('leads to the earlier of two rows that fit alike', () => {
    const twice = new RouteTable([row('read', ':first/x'), row('read', 'x/:second')]);
    const lookup = twice.find('read', 'x/x');
    expect(lookup.kind === 'found' && lookup.match.route.path).toBe(':first/x');
  });
});
