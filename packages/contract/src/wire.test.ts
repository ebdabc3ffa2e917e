import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import {
  bool,
  bytes,
  embed,
  facts,
  message,
  optionalBool,
  optionalBytes,
  optionalText,
  optionalUint,
  repeatedBytes,
  repeatedEmbed,
  repeatedText,
  repeatedUint,
  text,
  uint,
  WireError,
} from './wire.ts';

const inner = message({ name: text(1), size: uint(2) });
const everyKind = message({
  count: uint(1),
  isOn: bool(2),
  name: text(3),
  body: bytes(4),
  maybeCount: optionalUint(5),
  maybeOn: optionalBool(6),
  maybeName: optionalText(7),
  maybeBody: optionalBytes(8),
  part: embed(9, inner),
  names: repeatedText(10),
  bodies: repeatedBytes(11),
  counts: repeatedUint(12),
  // Above 15 the tag takes two bytes, above 2047 three.
  parts: repeatedEmbed(16, inner),
  last: text(2048),
});

const { root } = protobuf.parse(
  `syntax = "proto3";
  message Inner { string name = 1; uint64 size = 2; }
  message EveryKind {
    uint64 count = 1; bool is_on = 2; string name = 3; bytes body = 4;
    optional uint64 maybe_count = 5; optional bool maybe_on = 6; optional string maybe_name = 7; optional bytes maybe_body = 8;
    Inner part = 9;
    repeated string names = 10; repeated bytes bodies = 11; repeated uint64 counts = 12 [packed = false];
    repeated Inner parts = 16; string last = 2048;
  }`,
);
const reference = root.lookupType('EveryKind');

const anyCount = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 1, 127, 128, 2 ** 32, 2 ** 53 - 1));
const anyText = fc.string({ unit: 'grapheme', maxLength: 20 });
const anyBytes = fc.uint8Array({ maxLength: 40 }).map((array): Uint8Array => Buffer.from(array));
const anyInner = fc.record({ name: anyText, size: anyCount });
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
const few = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(arbitrary, { maxLength: 5 });
const anyMessage = fc.record({
  count: anyCount,
  isOn: fc.boolean(),
  name: anyText,
  body: anyBytes,
  maybeCount: maybe(anyCount),
  maybeOn: maybe(fc.boolean()),
  maybeName: maybe(anyText),
  maybeBody: maybe(anyBytes),
  part: maybe(anyInner),
  names: few(anyText),
  bodies: few(anyBytes),
  counts: few(anyCount),
  parts: few(anyInner),
  last: anyText,
});

/** What is compared: bytes as hex, since a Buffer and a Uint8Array of the same bytes are equal here, and nothing absent. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  const present = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(present.map(([name, field]) => [name, comparable(field)]));
}

function read(encoded: Uint8Array): object {
  return reference.toObject(reference.decode(encoded), { longs: Number, arrays: true });
}

/** protobufjs fills in no defaults unless asked, and when asked does so for optional fields as well. */
const zeroes: { readonly [name: string]: unknown } = {
  count: 0,
  isOn: false,
  name: '',
  body: Buffer.alloc(0),
  last: '',
};
function withZeroes(plain: object): object {
  const nested = (part: unknown): unknown => ({ name: '', size: 0, ...(part as object) });
  const filled = Object.entries({ ...zeroes, ...plain }).map(([name, field]) => {
    if (name === 'part') return [name, nested(field)];
    return [name, name === 'parts' && Array.isArray(field) ? field.map(nested) : field];
  });
  return Object.fromEntries(filled);
}

/** The fields that a canonical proto3 writer writes: none that has its default and is not optional. */
function withoutZeroes(value: object): { [name: string]: unknown } {
  const isZero = (field: unknown): boolean => field === 0 || field === false || field === '' || isEmptyBytes(field);
  const part = (field: object): object =>
    Object.fromEntries(Object.entries(field).filter(([, inside]) => !isZero(inside)));
  const kept = Object.entries(value).filter(
    ([name, field]) => field !== undefined && !(name in zeroes && isZero(field)),
  );
  const slim = kept.map(([name, field]) => {
    if (name === 'part') return [name, part(field)];
    return [name, name === 'parts' ? field.map(part) : field];
  });
  return Object.fromEntries(slim);
}

function isEmptyBytes(field: unknown): boolean {
  return field instanceof Uint8Array && field.length === 0;
}

describe('a message', () => {
  it('is read by protobufjs as what was written', () => {
    fc.assert(
      fc.property(anyMessage, (value) => {
        expect(comparable(withZeroes(read(everyKind.encode(value))))).toEqual(comparable(value));
      }),
    );
  });

  it('that protobufjs wrote is read as what it wrote', () => {
    fc.assert(
      fc.property(anyMessage, (value) => {
        const written = reference.encode(reference.fromObject(withoutZeroes(value))).finish();
        expect(comparable(everyKind.decode(written))).toEqual(comparable(value));
      }),
    );
  });

  it('is byte for byte what protobufjs writes', () => {
    fc.assert(
      fc.property(anyMessage, (value) => {
        const written = reference.encode(reference.fromObject(withoutZeroes(value))).finish();
        expect(comparable(everyKind.encode(value))).toEqual(comparable(written));
      }),
    );
  });

  it('of defaults only takes no bytes', () => {
    expect(everyKind.encode(everyKind.initial)).toHaveLength(0);
    expect(everyKind.decode(new Uint8Array(0))).toEqual(everyKind.initial);
  });

  it('keeps an optional field that was set to its default', () => {
    const value = { ...everyKind.initial, maybeCount: 0, maybeOn: false, maybeName: '', part: { name: '', size: 0 } };
    expect(everyKind.decode(everyKind.encode(value))).toEqual(value);
  });
});

describe('a reader that meets what it does not know', () => {
  const narrow = message({ count: uint(1) });

  it('skips unknown fields of every wire type', () => {
    fc.assert(
      fc.property(anyMessage, (value) => {
        expect(narrow.decode(everyKind.encode(value))).toEqual({ count: value.count });
      }),
    );
    const fixed64AndFixed32 = Buffer.from([0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4, 0x08, 7]);
    expect(narrow.decode(fixed64AndFixed32)).toEqual({ count: 7 });
  });

  it('skips an unknown integer of 64 bits', () => {
    const newer = protobuf.Writer.create().uint32(16).uint64('18446744073709551615').uint32(8).uint32(7).finish();
    expect(narrow.decode(newer)).toEqual({ count: 7 });
    expect(() => narrow.decode(newer.subarray(0, 5))).toThrow('message is cut short');
    const elevenBytes = Buffer.from([0x10, ...Array<number>(10).fill(0x80), 0]);
    expect(() => narrow.decode(elevenBytes)).toThrow('integer has more than ten bytes');
  });

  it('takes numbers that were packed together, as other writers send them', () => {
    const numbers = message({ counts: repeatedUint(1) });
    expect(numbers.decode(Buffer.from([0x0a, 3, 1, 0x80, 1, 0x08, 5]))).toEqual({ counts: [1, 128, 5] });
    expect(() => numbers.decode(Buffer.from([0x0a, 1, 0x80]))).toThrow('message is cut short');
  });

  it('takes the last of a field that is there twice', () => {
    expect(narrow.decode(Buffer.from([0x08, 1, 0x08, 2]))).toEqual({ count: 2 });
  });

  it('refuses groups and wire types that do not exist', () => {
    for (const wireType of [3, 4, 6, 7]) {
      expect(() => narrow.decode(Buffer.from([(9 << 3) | wireType]))).toThrow(`unknown wire type ${wireType}`);
    }
  });

  it('refuses a known field with another wire type', () => {
    expect(() => narrow.decode(Buffer.from([0x0a, 0]))).toThrow('field 1 has wire type 2, not 0');
  });
});

describe('a damaged message', () => {
  it('throws a WireError or decodes, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (noise) => {
        try {
          everyKind.decode(noise);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('that was cut inside a field is refused', () => {
    const whole = message({ name: text(1) }).encode({ name: 'ten bytes!' });
    for (let length = 1; length < whole.length; length++) {
      expect(() => message({ name: text(1) }).decode(whole.subarray(0, length))).toThrow('message is cut short');
    }
    expect(() => inner.decode(Buffer.from([0x10]))).toThrow('message is cut short');
    expect(() => inner.decode(Buffer.from([0x19, 1, 2, 3]))).toThrow('message is cut short');
    expect(() => inner.decode(Buffer.from([0x1d, 1, 2, 3]))).toThrow('message is cut short');
  });

  it('with text that is not UTF-8 is refused', () => {
    const codec = message({ name: text(1) });
    for (const bad of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf], [0xf4, 0x90, 0x80, 0x80]]) {
      expect(() => codec.decode(Buffer.from([0x0a, bad.length, ...bad]))).toThrow('text is not UTF-8');
    }
  });

  it('keeps a byte order mark, which is text like any other', () => {
    const codec = message({ name: text(1) });
    expect(codec.decode(codec.encode({ name: '\ufeffa' }))).toEqual({ name: '\ufeffa' });
  });
});

describe('an integer', () => {
  const codec = message({ count: uint(1) });

  it('of 2^53-1 travels whole, and one more is refused on both ways', () => {
    expect(codec.decode(codec.encode({ count: 2 ** 53 - 1 }))).toEqual({ count: 2 ** 53 - 1 });
    expect(() => codec.encode({ count: 2 ** 53 })).toThrow('not an unsigned safe integer');
    const larger = protobuf.Writer.create().uint32(8).uint64('9007199254740992').finish();
    expect(() => codec.decode(larger)).toThrow('integer is larger than 2^53-1');
    const largest = protobuf.Writer.create().uint32(8).uint64('18446744073709551615').finish();
    expect(() => codec.decode(largest)).toThrow('integer is larger than 2^53-1');
  });

  it('that is negative or a fraction is refused', () => {
    for (const count of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => codec.encode({ count })).toThrow('not an unsigned safe integer');
    }
  });

  it('of more than ten bytes is refused', () => {
    const padded = (zeros: number): Buffer => Buffer.from([0x08, ...Array<number>(zeros).fill(0x80), 0]);
    expect(codec.decode(padded(9))).toEqual({ count: 0 });
    expect(() => codec.decode(padded(10))).toThrow('integer has more than ten bytes');
  });
});

describe('nesting', () => {
  type Tree = ReturnType<typeof inner.decode>;
  function nested(levels: number): { encoded: Buffer; decode: (bytes: Uint8Array) => unknown } {
    let codec: { encode: (value: never) => Buffer; decode: (bytes: Uint8Array) => unknown } = inner;
    let value: unknown = { name: 'leaf', size: 1 } satisfies Tree;
    for (let level = 0; level < levels; level++) {
      codec = message({ child: embed(1, codec as typeof inner) });
      value = { child: value };
    }
    return { encoded: codec.encode(value as never), decode: codec.decode };
  }

  it('of 32 levels is read, and of 33 refused', () => {
    const deepest = nested(32);
    expect(() => deepest.decode(deepest.encoded)).not.toThrow();
    const deeper = nested(33);
    expect(() => deeper.decode(deeper.encoded)).toThrow('message is nested too deeply');
  });
});

describe('a table of fields', () => {
  it('with one number twice is a wrong program', () => {
    expect(() => message({ a: text(1), b: uint(1) })).toThrow('two fields have number 1');
  });

  it('does not share its lists between messages', () => {
    const codec = message({ names: repeatedText(1) });
    const first = codec.decode(codec.encode({ names: ['a'] }));
    expect(codec.decode(codec.encode({ names: ['b'] }))).toEqual({ names: ['b'] });
    expect(codec.decode(new Uint8Array(0))).toEqual({ names: [] });
    expect(first).toEqual({ names: ['a'] });
  });
});

describe('facts', () => {
  const secretWritten = message({ path: text(1), version: uint(2) });
  const secretDeleted = message({ path: text(1) });
  const codec = facts({ secretWritten: [1, secretWritten], secretDeleted: [7, secretDeleted] });
  const written = { type: 'secretWritten', path: 'a/b', version: 3 } as const;

  it('come back with their names', () => {
    expect(codec.decode(codec.encode(written))).toEqual(written);
    const deleted = { type: 'secretDeleted', path: '' } as const;
    expect(codec.decode(codec.encode(deleted))).toEqual(deleted);
  });

  it('of an unknown number are refused, so that a node stops rather than skips them', () => {
    const newer = facts({ secretSplit: [9, secretDeleted] });
    expect(() => codec.decode(newer.encode({ type: 'secretSplit', path: 'a' }))).toThrow('unknown fact number 9');
  });

  it('that are empty, followed by more or of another wire type are refused', () => {
    expect(() => codec.decode(new Uint8Array(0))).toThrow('message is cut short');
    expect(() => codec.decode(Buffer.concat([codec.encode(written), codec.encode(written)]))).toThrow('bytes follow');
    expect(() => codec.decode(Buffer.from([0x08, 1]))).toThrow('unknown fact number 1');
  });
});
