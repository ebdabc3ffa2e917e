import { describe, expect, it } from 'vitest';
import { blankComments } from './blank-comments.ts';

const code = (text: string): string => blankComments(text, 'comments').replaceAll(/ +$/gm, '');
const bare = (text: string): string => blankComments(text, 'comments-and-strings');

describe('comments are blanked', () => {
  it.each([
    ['a // b', 'a'],
    ['a /* b */ c', 'a         c'],
    ['/* a\n b */ c', '\n      c'],
    ['a // b\nc', 'a\nc'],
    ['/* never closed', ''],
  ])('%j becomes %j', (text, expected) => {
    expect(code(text)).toBe(expected);
  });

  it.each([
    `'http://x'`,
    `"a /* b */"`,
    '`a // ${b} // c`',
    String.raw`/[/]\/\/'/.test(a)`,
    String.raw`'it\'s // here'`,
  ])('%s holds none', (text) => {
    expect(code(text)).toBe(text);
  });

  it('inside a template expression they are comments', () => {
    expect(code('`a ${b /* c */} d`')).toBe('`a ${b        } d`');
  });

  it('after a division they are still found', () => {
    expect(code('a / b // c')).toBe('a / b');
    expect(code('(a) / 2; // it"s')).toBe('(a) / 2;');
  });
});

describe('strings are blanked when asked', () => {
  it.each([
    [`f('ab', "c")`, `f('  ', " ")`],
    ['`a${b}c`', '` ${b} `'],
    ['`${`${a}x`}y` + z', '`${`${a} `} ` + z'],
    ['`${{ a: 1 }}y`', '`${{ a: 1 }} `'],
    ['a = /x"y/g', 'a = /   /g'],
  ])('%j becomes %j', (text, expected) => {
    expect(bare(text)).toBe(expected);
  });

  it('keeps every line where it was', () => {
    const text = 'const a = `\n//\n`;\n/*\n*/ b';
    expect(bare(text).split('\n')).toHaveLength(text.split('\n').length);
    expect(bare(text).endsWith(' b')).toBe(true);
  });
});
