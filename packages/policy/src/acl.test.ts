import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Capability } from '@lockstep/contract/engine';
import { aclOf } from './acl.ts';
import { capabilityNames, compilePolicy, rootPolicy } from './compile.ts';

type Rules = { readonly [path: string]: readonly string[] };
const policyOf = (rules: Rules): ReturnType<typeof compilePolicy> =>
  compilePolicy(
    JSON.stringify({
      path: Object.fromEntries(Object.entries(rules).map(([path, capabilities]) => [path, { capabilities }])),
    }),
  );
const can = (path: string, capability: Capability, ...policies: Rules[]): boolean =>
  aclOf(policies.map(policyOf)).allows(path, capability);

describe('default deny', () => {
  it('no policy, another path, another capability, another mount', () => {
    expect(aclOf([]).allows('kv/a', 'read')).toBe(false);
    expect(can('kv/b', 'read', { 'kv/a': ['read'] })).toBe(false);
    expect(can('kv/a', 'update', { 'kv/a': ['read'] })).toBe(false);
    expect(can('team2/x', 'read', { 'team/+/x': ['read'] })).toBe(false);
    expect(can('pki/issuer/a', 'delete', { 'pki/issuer/*': ['read'] })).toBe(false);
    expect(aclOf([policyOf({ 'kv/a': ['read'] })]).capabilities('kv/b')).toEqual(['deny']);
  });

  it('sudo is its own capability', () => {
    expect(can('sys/x', 'sudo', { 'sys/*': ['create', 'read', 'update', 'patch', 'delete', 'list'] })).toBe(false);
    expect(can('sys/x', 'sudo', { 'sys/*': ['sudo'] })).toBe(true);
    expect(can('sys/x', 'read', { 'sys/*': ['sudo'] })).toBe(false);
  });
});

describe('deny', () => {
  it('wins over other policies on the same pattern', () => {
    expect(can('kv/a', 'read', { 'kv/*': ['read'] }, { 'kv/*': ['deny'] })).toBe(false);
    expect(can('kv/a', 'read', { 'kv/a': ['read'] }, { 'kv/a': ['deny'] })).toBe(false);
  });

  it('yields to a more specific grant, and holds against a less specific one', () => {
    expect(can('kv/a', 'read', { 'kv/*': ['deny'], 'kv/a': ['read'] })).toBe(true);
    expect(can('kv/a', 'read', { 'kv/*': ['read'], 'kv/a': ['deny'] })).toBe(false);
  });

  it('holds for its path in any case', () => {
    const rules: Rules = {
      'kv/*': ['read', 'update', 'list'],
      'kv/data/example': ['deny'],
      'auth/userpass/users/Root-op': ['deny'],
      'auth/*': ['update'],
    };
    for (const path of ['kv/data/EXAMPLE', 'kv/data/Example', 'kv/DATA/example'])
      expect(can(path, 'read', rules)).toBe(false);
    expect(can('auth/userpass/users/ROOT-OP', 'update', rules)).toBe(false);
    expect(aclOf([policyOf(rules)]).capabilities('kv/data/EXAMPLE')).toEqual(['deny']);
    expect(can('kv/data/examples', 'read', rules)).toBe(true);
  });

  it('can not be passed by a list with or without its slash', () => {
    const rules: Rules = {
      'kv/metadata/*': ['list'],
      'kv/metadata/hidden': ['deny'],
      'kv/metadata/+/private': ['deny'],
    };
    for (const path of ['kv/metadata/hidden', 'kv/metadata/hidden/', 'kv/metadata/a/private/', 'kv/metadata/HIDDEN/']) {
      expect(can(path, 'list', rules)).toBe(false);
    }
    expect(can('kv/metadata/open/', 'list', rules)).toBe(true);
  });
});

describe('which pattern decides', () => {
  // Each row: the path, the pattern that must decide, and one that also matches and must not.
  it.each([
    ['foo/bar', 'foo/bar', 'foo/*'],
    ['foo/bar', 'foo/bar', 'foo/+'],
    ['foo/abc', 'foo/a*', 'foo/+'],
    ['foo/bar/x/baz', 'foo/bar/+/baz', 'foo/+/bar/baz'.replace('bar', 'x')],
    ['foo/bar', 'foo/+', 'foo/*'],
    ['foo/x/bar', 'foo/+/bar', 'foo/+/ba*'],
    ['foo/x/y/baz', 'foo/+/y/baz', 'foo/+/+/baz'],
    ['foo/x/bar', 'foo/+/bar*', 'foo/+/b*'],
    ['foo/bar/baz', 'foo/bar/*', 'foo/*'],
    ['a/x/b/c', 'a/+/b/+', 'a/+/+/c'],
    ['anything', 'any*', '*'],
  ])('%s: %s before %s', (path, first, second) => {
    expect(can(path, 'read', { [first]: ['read'], [second]: ['update'] })).toBe(true);
    expect(can(path, 'update', { [first]: ['read'], [second]: ['update'] })).toBe(
      matchesNaively(second, path) ? false : true,
    );
    expect(can(path, 'update', { [first]: ['read'] }, { [second]: ['update'] })).toBe(false);
  });

  it('policies add up only on the same pattern', () => {
    expect(aclOf([policyOf({ 'kv/*': ['read'] }), policyOf({ 'kv/*': ['list'] })]).capabilities('kv/a')).toEqual([
      'list',
      'read',
    ]);
    expect(aclOf([policyOf({ 'kv/*': ['read'] }), policyOf({ 'kv/a': ['list'] })]).capabilities('kv/a')).toEqual([
      'list',
    ]);
  });

  it('a list takes the rule with the slash, then the exact one without, then wildcards', () => {
    expect(can('kv/m/a/', 'list', { 'kv/m/a': ['list'] })).toBe(true);
    expect(can('kv/m/a/', 'list', { 'kv/m/a': ['read'], 'kv/m/*': ['list'] })).toBe(false);
    expect(can('kv/m/a/', 'list', { 'kv/m/a': ['read'], 'kv/m/a/': ['list'] })).toBe(true);
    expect(can('kv/m/a', 'list', { 'kv/m/a/*': ['list'] })).toBe(true);
  });

  it('"+" takes exactly one segment, "*" any rest', () => {
    expect(can('a/b/c', 'read', { 'a/+': ['read'] })).toBe(false);
    expect(can('a', 'read', { 'a/+': ['read'] })).toBe(false);
    expect(can('a/b/c/d', 'read', { 'a/+/c*': ['read'] })).toBe(true);
    expect(can('ab', 'read', { 'a*': ['read'] })).toBe(true);
    expect(can('a/b/c', 'read', { '*': ['read'] })).toBe(true);
  });
});

describe('grantsBelow', () => {
  it.each([
    ['kv/data/a', 'kv/', true],
    ['kv/*', 'kv/', true],
    ['*', 'kv/', true],
    ['k*', 'kv/', true],
    ['+/data/a', 'kv/', true],
    ['+', 'kv/', false],
    ['kv', 'kv/', false],
    ['kv', 'kv', true],
    ['kv2/a', 'kv/', false],
    ['team/kv/+', 'team/kv/', true],
    ['team/+/data/*', 'team/kv/', true],
    ['team/+', 'team/kv/', false],
    ['team/*', 'team/kv/', true],
    ['other/*', 'team/kv/', false],
  ])('a rule for %s, asked about %s: %s', (path, prefix, expected) => {
    expect(aclOf([policyOf({ [path]: ['read'] })]).grantsBelow(prefix)).toBe(expected);
    expect(aclOf([policyOf({ [path]: ['deny'] })]).grantsBelow(prefix)).toBe(false);
  });
});

it('root may everything', () => {
  const acl = aclOf([policyOf({ '*': ['deny'] }), rootPolicy]);
  expect(capabilityNames.every((name) => acl.allows('sys/anything', name))).toBe(true);
  expect(acl.capabilities('x')).toEqual(['root']);
});

// The same rules once more, as slowly and plainly as possible.
function matchesNaively(pattern: string, path: string): boolean {
  const source = pattern
    .replace(/\*$/, '')
    .split('/')
    .map((segment) => (segment === '+' ? '[^/]*' : segment.replaceAll(/[^a-zA-Z0-9]/g, '\\$&')))
    .join('/');
  return new RegExp(`^${source}${pattern.endsWith('*') ? '[^]*' : ''}$`).test(path);
}

function rankNaively(pattern: string): readonly (number | string)[] {
  const first = /(^|\/)\+(?=\/|$)/.exec(pattern);
  const plusAt = first === null ? Number.POSITIVE_INFINITY : first.index + (first[1] ?? '').length;
  const starAt = pattern.endsWith('*') ? pattern.length - 1 : Number.POSITIVE_INFINITY;
  const pluses = pattern.split('/').filter((segment) => segment === '+').length;
  return [Math.min(plusAt, starAt), pattern.endsWith('*') ? 0 : 1, -pluses, pattern.length, pattern];
}

function decideNaively(policies: readonly Rules[], path: string): readonly string[] {
  const patterns = [...new Set(policies.flatMap((rules) => Object.keys(rules)))].filter((pattern) =>
    matchesNaively(pattern, path),
  );
  patterns.sort((a, b) => {
    const [left, right] = [rankNaively(a), rankNaively(b)];
    const at = left.findIndex((rank, i) => rank !== right[i]);
    return at < 0 ? 0 : (left[at] ?? 0) < (right[at] ?? 0) ? -1 : 1;
  });
  const best = patterns.at(-1);
  const granted = new Set<string>(
    best === undefined ? [] : policies.flatMap((rules) => (Object.hasOwn(rules, best) ? (rules[best] ?? []) : [])),
  );
  return granted.has('deny') || granted.size === 0 ? ['deny'] : [...granted].sort();
}

describe('the matcher agrees with a naive reading of the rules', () => {
  const segment: fc.Arbitrary<string> = fc.constantFrom('a', 'b', 'ab', 'abc', '');
  const anyPath = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'));
  const anyPattern = fc
    .tuple(fc.array(fc.oneof(segment, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([segments, star]) => `${segments.join('/')}${star ? '*' : ''}`)
    .filter((pattern) => pattern !== '' && !pattern.startsWith('/') && !pattern.endsWith('+*'));
  const anyCapabilities: fc.Arbitrary<readonly string[]> = fc.oneof(
    { weight: 4, arbitrary: fc.uniqueArray(fc.constantFrom('read', 'update', 'delete', 'sudo'), { minLength: 1 }) },
    { weight: 1, arbitrary: fc.constant(['deny']) },
  );
  const anyRules = fc.dictionary(anyPattern, anyCapabilities, { maxKeys: 6 });

  it('for any policies and path', () => {
    fc.assert(
      fc.property(fc.array(anyRules, { maxLength: 3 }), anyPath, (policies, path) => {
        const acl = aclOf(policies.map(policyOf));
        const expected: readonly string[] = decideNaively(policies, path);
        expect(acl.capabilities(path)).toEqual(expected);
        for (const name of ['read', 'update', 'delete', 'sudo'] as const)
          expect(acl.allows(path, name)).toBe(expected.includes(name));
      }),
      { numRuns: 1500 },
    );
  });

  it('whoever may do something on a path has a grant below each of its beginnings', () => {
    fc.assert(
      fc.property(fc.array(anyRules, { maxLength: 3 }), anyPath, fc.nat(12), (policies, path, length) => {
        const acl = aclOf(policies.map(policyOf));
        if (acl.capabilities(path)[0] !== 'deny') expect(acl.grantsBelow(path.slice(0, length))).toBe(true);
      }),
    );
  });

  it('a denied path is denied in every case, whatever else is granted', () => {
    const anyDenied = anyPath.filter((path) => path !== '' && !path.startsWith('/'));
    fc.assert(
      fc.property(anyRules, anyDenied, (rules, path) => {
        const acl = aclOf([policyOf({ '*': ['read'], ...rules, [path]: ['deny'] })]);
        for (const spelling of [path, path.toUpperCase()]) expect(acl.allows(spelling, 'read')).toBe(false);
      }),
    );
  });
});
