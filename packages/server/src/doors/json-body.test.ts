import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LockstepError } from '@lockstep/contract/errors';
import { parseJsonObject, scanJson } from './json-body.ts';
import { jsonDepthMax, jsonLooksPerByteMax, jsonTokensMax } from './limits.ts';

const parsed = (text: string): unknown => parseJsonObject(Buffer.from(text));
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

describe('what is refused, and how it is named', () => {
  test.each([
    ['{"a":', 'is not valid JSON'],
    ['{"a":1,}', 'is not valid JSON (at character 7)'],
    ["{'a':1}", 'is not valid JSON (at character 1)'],
    ['{"a":1} // x', 'is not valid JSON'],
    ['{"a":NaN}', 'is not valid JSON'],
    ['{"a":Infinity}', 'is not valid JSON'],
    ['{"a":"unfinished', 'is not valid JSON'],
    ['\ufeff{"a":1}', 'is not valid JSON'],
    ['[1,2]', 'must be a JSON object'],
    ['"text"', 'must be a JSON object'],
    ['{"__proto__":{"root":true}}', 'has the forbidden key "__proto__"'],
    ['{"a":[{"b":{"__proto__":1}}]}', 'has the forbidden key "__proto__"'],
    ['{"\\u005f_proto__":1}', 'has the forbidden key "__proto__"'],
    ['{"a":{"constructor":{"prototype":{}}}}', 'has the forbidden key "constructor.prototype"'],
    ['{"n":9007199254740993}', 'has a number that a double cannot hold'],
    ['{"n":-12345678901234567890}', 'has a number that a double cannot hold'],
    ['{"n":1e309}', 'has a number that a double cannot hold'],
    [`{"n":0.${'1'.repeat(500)}}`, 'has a number with too many digits'],
  ])('%s: %s', (text, message) => {
    expect(() => parsed(text)).toThrow(`request body ${message}`);
  });

  test('bytes that are not UTF-8', () => {
    expect(() => parseJsonObject(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toThrow('is not UTF-8');
  });

  test('a parse error never quotes the body', () => {
    const message = (() => {
      try {
        parsed('{"password": hunter2}');
      } catch (fault) {
        return String(fault) + JSON.stringify(fault);
      }
      return '';
    })();
    expect(message).toContain('not valid JSON');
    expect(message).not.toContain('hunter2');
  });
});

describe('bounds', () => {
  test('depth', () => {
    expect(parsed(nested(jsonDepthMax))).toBeDefined();
    expect(() => parsed(nested(jsonDepthMax + 1))).toThrow(`nests deeper than ${jsonDepthMax} levels`);
  });

  test('values', () => {
    const list = (length: number): string => `{"a":[${Array.from({ length }, () => 1).join(',')}]}`;
    expect(parsed(list(jsonTokensMax - 3))).toBeDefined();
    expect(() => parsed(list(jsonTokensMax - 2))).toThrow(`holds more than ${jsonTokensMax} values`);
  });

  test.each([
    ['brackets', '['.repeat(1 << 20)],
    ['empty objects', `[${'{},'.repeat(340_000)}{}]`],
    ['numbers', `[${'1,'.repeat(500_000)}1]`],
    ['strings', `[${'"",'.repeat(340_000)}""]`],
    ['quotes behind backslashes', `["${'\\"'.repeat(500_000)}"]`],
    ['backslashes', `["${'\\\\'.repeat(500_000)}"]`],
    ['objects in objects', '{"a":'.repeat(200_000)],
  ])('a megabyte of %s is refused, at a cost that its size alone decides', (_name, text) => {
    const bytes = Buffer.from(text);
    expect(() => parseJsonObject(bytes)).toThrow('request body');
    expect(looksAt(bytes)).toBeGreaterThan(jsonDepthMax);
    expect(looksAt(bytes)).toBeLessThanOrEqual(bytes.length * jsonLooksPerByteMax);
  });

  test('any bytes cost at most so much', () => {
    const pieces = fc.constantFrom('"', '\\', '{', '}', '[', ',', ':', '1', 'a', ' ', '\\"', '"x":');
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 400 }), (parts) => {
        const bytes = Buffer.from(parts.join(''));
        expect(looksAt(bytes)).toBeLessThanOrEqual(bytes.length * jsonLooksPerByteMax);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Also of a scan that ended in a refusal. */
function looksAt(bytes: Buffer): number {
  const cost = { looks: 0 };
  try {
    scanJson(bytes, cost);
  } catch (fault) {
    expect(fault).toBeInstanceOf(LockstepError);
  }
  return cost.looks;
}

test('harmless members pass as they are', () => {
  expect(parsed(' {"constructor":"x","prototype":1,"a":{"constructor":{"b":1}}} ')).toEqual({
    constructor: 'x',
    prototype: 1,
    a: { constructor: { b: 1 } },
  });
});

test('null is an empty object, and the last of repeated keys counts', () => {
  expect(parsed('null')).toEqual({});
  expect(parsed('{"a":1,"a":2}')).toEqual({ a: 2 });
});

test('any JSON object that survives JSON.parse unchanged comes back as JSON.parse has it', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 5 })), (value) => {
      const text = JSON.stringify(value);
      fc.pre(!text.includes('__proto__') && !text.includes('constructor'));
      const unsafe = /(?<![\d.e+-])-?\d{16,}(?![\d.e])/i.test(text);
      if (!unsafe) expect(parsed(text)).toEqual(JSON.parse(text));
    }),
    { numRuns: 300 },
  );
});
