import { describe, expect, it } from 'vitest';
import { LockstepError } from '@lockstep/contract/errors';
import { compilePolicy } from './compile.ts';
import { policyBytesMax, rulePathLengthMax } from './limits.ts';

function refusalOf(text: string): string {
  try {
    compilePolicy(text);
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'invalid-input') return error.message;
    throw error;
  }
  return 'no refusal';
}
const rule = (path: string, body = 'capabilities = ["read"]'): string => `path "${path}" { ${body} }`;

describe('a policy that could not be enforced as written is refused', () => {
  it.each([
    [
      rule('a', 'capabilities = ["raed"]'),
      'unknown capability "raed" (create, read, update, patch, delete, list, sudo, deny)',
    ],
    [rule('sys/*', 'capabilities = ["root"]'), 'unknown capability "root"'],
    [rule('a', 'capabilities = "read"'), 'capabilities must be a list of texts'],
    [rule('a', 'capabilities = [1]'), 'a capability must be a text in double quotes'],
    [rule('a', 'capabilities = []'), 'the path "a" has no capabilities'],
    [rule('a', ''), 'the path "a" has no capabilities'],
    [rule('a', 'capabilities = ["read"] capabilities = ["list"]'), 'capabilities is given twice'],
    [rule('a', 'capabilities = ["deny", "read"]'), 'the path "a" has deny beside other capabilities'],
    [rule('a', 'policy = "read"'), 'unknown key "policy"'],
    [rule('a', 'capabilities = ["read"] constructor = 1'), 'unknown key "constructor"'],
    ...[
      'allowed_parameters',
      'denied_parameters',
      'required_parameters',
      'min_wrapping_ttl',
      'control_group',
      'expiration',
    ].map((key) => [
      rule('a', `capabilities = ["update"]\n ${key} = { "__proto__" = [] }`),
      `line 2, column 2: ${key} is not supported yet`,
    ]),
    ['name = "x"', 'unknown key "name"'],
    ['path "a" "b" {}', 'a path rule has one path'],
    ['path = "a"', 'a path rule must be a block'],
    [`${rule('a')}\n${rule('a')}`, 'line 2, column 1: the path "a" has two rules'],
    ['{"path":{"a":{"capabilities":["read"]},"a":{"capabilities":["sudo"]}}}', 'the path "a" has two rules'],
    [rule(''), 'the path "" is empty'],
    [rule('/x'), 'must not begin with "/"'],
    [rule('a*b'), 'may hold "*" only at its end'],
    [rule('a/*/b'), 'may hold "*" only at its end'],
    [rule('**'), 'may hold "*" only at its end'],
    [rule('+*'), 'holds "+*", which is forbidden'],
    [rule('a/+*'), 'holds "+*", which is forbidden'],
    [rule('a+/b'), 'may hold "+" only as a whole segment'],
    [rule('a/../b'), 'must not hold "." or ".."'],
    [rule('a/\\u0000'), 'holds a character that no request path can hold'],
    [rule('a/{{identity.entity.id}}'), 'is a template, which policies do not support yet'],
  ])('%j', (text, message) => {
    expect(refusalOf(text)).toContain(message);
  });

  it('above its size, and not at it', () => {
    const filled = (bytes: number): string => rule('a').padEnd(bytes, '#');
    expect(refusalOf(filled(policyBytesMax))).toBe('no refusal');
    expect(refusalOf(filled(policyBytesMax + 1))).toBe('policy must be at most 65536 bytes long');
  });

  it('with a path above its length, and not at it', () => {
    expect(refusalOf(rule('a'.repeat(rulePathLengthMax)))).toBe('no refusal');
    expect(refusalOf(rule('a'.repeat(rulePathLengthMax + 1)))).toMatch(/is longer than 4096 characters$/);
  });
});

it('HCL and both forms of JSON compile to the same rules', () => {
  const hcl = compilePolicy(
    'path "kv/*" { capabilities = ["read", "list"] }\npath "sys/+" { capabilities = ["deny"] }',
  );
  const body = '"kv/*":{"capabilities":["read","list"]}';
  const denied = '"sys/+":{"capabilities":["deny"]}';
  expect(compilePolicy(`{"path":{${body},${denied}}}`).rules).toEqual(hcl.rules);
  expect(compilePolicy(`{"path":[{${body}},{${denied}}]}`).rules).toEqual(hcl.rules);
});
