import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LockstepError } from '@lockstep/contract/errors';
import { parseHcl } from './hcl.ts';
import { nestingMax } from './limits.ts';

function refusalOf(text: string): string {
  try {
    parseHcl(text);
  } catch (error) {
    if (error instanceof LockstepError) return error.message;
    throw error;
  }
  return 'no refusal';
}

describe('what is refused, with its place', () => {
  it.each([
    ['path "a" {', 'line 1, column 10: this block is not closed'],
    ['path "a" {\n  capabilities = ["read"\n}', 'line 3, column 1: "," or "]" must follow a list\'s element'],
    ['path "a" {\n  capabilities = ["read",', 'line 2, column 18: this list is not closed'],
    ['path "a" { x = "b\n" }', 'line 1, column 16: this text is not closed on its line'],
    ['path "a" { x = "\\q" }', 'line 1, column 16: this text has a control character or an unknown escape'],
    ['/* a', 'line 1, column 1: this comment is not closed'],
    ['x = <<EOT\na\nEOT', 'line 1, column 5: heredocs are not part of a policy'],
    ["path 'a' {}", 'line 1, column 6: unexpected character "\'"'],
    ['}', 'line 1, column 1: "}" closes nothing'],
    ['path "a"', 'line 1, column 9: "=" or "{" must follow "path"'],
    ['path "a" = 1', 'line 1, column 1: "path" has more than one key before "="'],
    ['x = read', 'line 1, column 5: a value must stand here, not "read" (text needs double quotes)'],
    ['x =', 'line 1, column 4: the policy ends where a value must stand'],
    ['= 1', 'line 1, column 1: a key must stand here, not "="'],
    ['{"a": 1} {}', 'begins like JSON but is not valid JSON'],
    ['{"a": 1,}', 'begins like JSON but is not valid JSON'],
  ])('%j', (text, message) => {
    expect(refusalOf(text)).toBe(`policy: ${message}`);
  });

  it('nesting past the limit, without trouble for the stack', () => {
    const nested = (levels: number): string => `x = ${'['.repeat(levels)}${']'.repeat(levels)}`;
    expect(refusalOf(nested(nestingMax))).toBe('no refusal');
    expect(refusalOf(nested(nestingMax + 1))).toMatch(/nested deeper than 16 levels/);
    expect(refusalOf(nested(30_000))).toMatch(/nested deeper than 16 levels/);
  });

  it('anything at all ends in a document or in a refusal with a line', () => {
    const piece = fc.constantFrom(
      'path',
      '"a"',
      '{',
      '}',
      '[',
      ']',
      '=',
      ',',
      ':',
      '"',
      '\\',
      '#',
      '/*',
      '*/',
      '\n',
      ' ',
      '1',
      'é',
      '\ud800',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
        ),
        (text) => {
          expect(refusalOf(text)).toMatch(/^(no refusal|policy: )/);
        },
      ),
    );
  });
});

describe('what is understood', () => {
  it('comments of all three kinds, escapes, numbers, booleans, and lists that end in a comma', () => {
    const document = parseHcl('# one\n// two\n/* three\n */ a "b" { c = ["d\\"\\n", 1, -2.5e3, 5m, true,] }');
    expect(document.entries).toEqual([
      {
        key: 'a',
        labels: ['b'],
        at: 26,
        value: {
          kind: 'block',
          at: 32,
          entries: [
            {
              key: 'c',
              labels: [],
              at: 34,
              value: {
                kind: 'list',
                at: 38,
                items: [
                  { kind: 'text', text: 'd"\n', at: 39 },
                  { kind: 'number', at: 48 },
                  { kind: 'number', at: 51 },
                  { kind: 'number', at: 59 },
                  { kind: 'boolean', at: 63 },
                ],
              },
            },
          ],
        },
      },
    ]);
  });

  it('every JSON object', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })), (object) => {
        expect(parseHcl(JSON.stringify(object)).entries.map((entry) => entry.key)).toEqual(Object.keys(object));
      }),
    );
  });
});
