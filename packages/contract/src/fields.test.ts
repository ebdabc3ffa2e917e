import { describe, expect, it } from 'vitest';
import { LockstepError } from './errors.ts';
import {
  booleanField,
  durationField,
  type FieldSpec,
  integerField,
  listField,
  listLengthMax,
  mapField,
  objectField,
  parseFields,
  textField,
  textLengthMax,
} from './fields.ts';

const described = { description: 'a field' };

function parse<T>(spec: FieldSpec<T>, raw: unknown): T {
  return parseFields({ field: spec }, { field: raw }).values.field;
}

function refusal(spec: FieldSpec<unknown>, raw: unknown): string {
  try {
    parse(spec, raw);
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'invalid-input') return error.message;
    throw error;
  }
  throw new Error(`${JSON.stringify(raw)} was accepted`);
}

describe('a text field', () => {
  const spec = textField(described);

  it.each([[[]], [{}], [['a']]])('refuses %j', (raw) => {
    expect(refusal(spec, raw)).toBe('field must be a string');
  });

  it('takes numbers and booleans as their text, as Vault does', () => {
    expect(parse(spec, 7)).toBe('7');
    expect(parse(spec, true)).toBe('true');
  });

  it('is bounded by default and by its own bound', () => {
    expect(parse(spec, 'a'.repeat(textLengthMax))).toHaveLength(textLengthMax);
    expect(refusal(spec, 'a'.repeat(textLengthMax + 1))).toBe(`field must be at most ${textLengthMax} characters long`);
    const short = textField({ ...described, max: 3 });
    expect(parse(short, 'abc')).toBe('abc');
    expect(refusal(short, 'abcd')).toBe('field must be at most 3 characters long');
  });

  it('refuses NUL and half surrogate pairs', () => {
    expect(refusal(spec, 'a\0b')).toBe('field must not contain a NUL character');
    expect(refusal(spec, 'a\ud800')).toBe('field must be valid Unicode');
  });

  it('of a closed set names the set', () => {
    const kind = textField({ ...described, oneOf: ['rsa', 'ec'] });
    expect(parse(kind, 'ec')).toBe('ec');
    expect(refusal(kind, 'EC')).toBe('field must be one of rsa, ec');
    expect(refusal(kind, 'constructor')).toBe('field must be one of rsa, ec');
  });
});

describe('an integer field', () => {
  const spec = integerField({ ...described, min: 2, max: 5 });

  it('is bounded on both sides', () => {
    expect(parse(spec, 2)).toBe(2);
    expect(parse(spec, 5)).toBe(5);
    expect(refusal(spec, 1)).toBe('field must be from 2 to 5');
    expect(refusal(spec, 6)).toBe('field must be from 2 to 5');
  });

  it('without bounds takes any safe integer that is not negative', () => {
    const any = integerField(described);
    expect(parse(any, 0)).toBe(0);
    expect(parse(any, Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER);
    expect(refusal(any, -1)).toBe('field must be at least 0');
    expect(refusal(any, Number.MAX_SAFE_INTEGER + 1)).toBe('field must be a whole number');
  });

  it('takes digits as text', () => {
    expect(parse(spec, ' 3 ')).toBe(3);
  });

  it.each([1.5, Number.NaN, Number.POSITIVE_INFINITY, '', '1.5', '0x3', '3e0', 'three', true, [3], {}, '9'.repeat(17)])(
    'refuses %j',
    (raw) => {
      expect(refusal(spec, raw)).toBe('field must be a whole number');
    },
  );
});

describe('a boolean field', () => {
  const spec = booleanField(described);

  it.each([true, 1, '1', 't', 'T', 'true', 'TRUE', 'True'])('%j is true', (raw) => {
    expect(parse(spec, raw)).toBe(true);
  });
  it.each([false, 0, '0', 'f', 'F', 'false', 'FALSE', 'False'])('%j is false', (raw) => {
    expect(parse(spec, raw)).toBe(false);
  });
  it.each([2, '', 'yes', 'tRUE', ' true', [], {}])('refuses %j', (raw) => {
    expect(refusal(spec, raw)).toBe('field must be true or false');
  });
});

describe('a duration field', () => {
  it('is in seconds and refuses what is none', () => {
    expect(parse(durationField(described), '1h')).toBe(3600);
    expect(refusal(durationField(described), 'soon')).toContain('field must be a duration');
  });
});

describe('a list field', () => {
  const spec = listField(described);

  it('is an array, or text with commas; blanks around elements and empty ones are dropped', () => {
    expect(parse(spec, ['a', ' b ', '', 3])).toEqual(['a', 'b', '3']);
    expect(parse(spec, 'a, b,,c')).toEqual(['a', 'b', 'c']);
    expect(parse(spec, '')).toEqual([]);
    expect(parse(spec, [])).toEqual([]);
  });

  it.each([7, true, {}])('refuses %j', (raw) => {
    expect(refusal(spec, raw)).toBe('field must be a list of strings, or one string with commas');
  });

  it('refuses an element that is no text, or too long', () => {
    expect(refusal(spec, [['a']])).toBe('field must be a string');
    expect(refusal(spec, [null])).toBe('field must be a string');
    expect(refusal(spec, ['a'.repeat(textLengthMax + 1)])).toContain('must be at most');
  });

  it('is bounded by default and by its own bound, in both forms', () => {
    expect(parse(spec, Array<string>(listLengthMax).fill('a'))).toHaveLength(listLengthMax);
    expect(refusal(spec, Array<string>(listLengthMax + 1).fill('a'))).toBe('field must have at most 1000 elements');
    expect(refusal(spec, ','.repeat(listLengthMax))).toBe('field must have at most 1000 elements');
    const two = listField({ ...described, max: 2 });
    expect(parse(two, 'a,b')).toEqual(['a', 'b']);
    expect(refusal(two, 'a,b,c')).toBe('field must have at most 2 elements');
  });
});

describe('a map field', () => {
  const spec = mapField(described);

  it('is an object, or a list of key=value', () => {
    expect(parse(spec, { a: 'x', b: 2 })).toEqual({ a: 'x', b: '2' });
    expect(parse(spec, ['a=x', 'b=y=z', 'c='])).toEqual({ a: 'x', b: 'y=z', c: '' });
  });

  it('refuses what is neither, and a value that is no text', () => {
    expect(refusal(spec, 'a=x')).toBe('field must be an object of strings');
    expect(refusal(spec, ['a'])).toBe('field must hold elements of the form key=value');
    expect(refusal(spec, ['=a'])).toBe('field must hold elements of the form key=value');
    expect(refusal(spec, { a: { b: 'c' } })).toBe('field.a must be a string');
  });

  it('is bounded', () => {
    const keys = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));
    expect(Object.keys(parse(spec, keys(listLengthMax)) ?? {})).toHaveLength(listLengthMax);
    expect(refusal(spec, keys(listLengthMax + 1))).toBe('field must have at most 1000 keys');
  });

  it('keeps __proto__ as a key like any other', () => {
    const parsed = parse(spec, JSON.parse('{"__proto__": "x", "constructor": "y"}'));
    expect(Object.keys(parsed ?? {})).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
  });
});

describe('an object field', () => {
  it('is passed on as it came, and nothing else is an object', () => {
    const value = { a: [1, { b: null }] };
    expect(parse(objectField(described), value)).toEqual(value);
    for (const raw of [[], 'a', 7, true]) {
      expect(refusal(objectField(described), raw)).toBe('field must be an object');
    }
  });
});

describe('the fields of a request', () => {
  const specs = {
    name: textField({ ...described, required: true }),
    ttl: durationField({ ...described, default: 60 }),
    note: textField(described),
  };

  it('get their defaults when absent or null', () => {
    expect(parseFields(specs, { name: 'a', ttl: null }).values).toEqual({ name: 'a', ttl: 60, note: undefined });
  });

  it('are refused when a required one is absent or null', () => {
    expect(() => parseFields(specs, {})).toThrow('name is required');
    expect(() => parseFields(specs, { name: null })).toThrow('name is required');
  });

  it('are not read from the prototype of the request', () => {
    expect(() => parseFields(specs, Object.create({ name: 'inherited' }))).toThrow('name is required');
    const inherited = { toString: textField(described) };
    expect(parseFields(inherited, {}).values.toString).toBeUndefined();
  });

  it('that nobody declared come back by name, __proto__ among them', () => {
    const raw = JSON.parse('{"name": "a", "extra": 1, "__proto__": {"ttl": 5}, "constructor": 2}');
    const parsed = parseFields(specs, raw);
    expect(parsed.unknown).toEqual(['extra', '__proto__', 'constructor']);
    expect(parsed.values.ttl).toBe(60);
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
  });
});
