// Codecs in protobuf's wire format (proto3), written as tables. The .proto files say the same; a test compares them.

/** One field of a message: its number, and how its value travels. */
export interface Field<T> {
  readonly number: number;
  readonly wireType: 0 | 2;
  readonly isRepeated: boolean;
  readonly initial: () => T;
  /** Writes tag and value; writes nothing for proto3's default. */
  readonly write: (out: WireWriter, value: T) => void;
  /** Returns the field's new value (repeated fields append to `before`). */
  readonly read: (from: WireReader, wireType: number, before: T) => T;
}

export type Shape = { readonly [name: string]: Field<never> | Field<unknown> | AnyField };
// oxlint-disable-next-line typescript/no-explicit-any -- a table's value types are only known per field; `Values` restores them.
type AnyField = Field<any>;
export type Values<S extends Shape> = { readonly [K in keyof S]: S[K] extends Field<infer T> ? T : never };

export interface Codec<T> {
  readonly encode: (value: T) => Buffer;
  /** Throws a WireError on anything that is not such a message. Unknown fields are skipped, so that newer writers can be read. */
  readonly decode: (bytes: Uint8Array) => T;
}

export class WireError extends Error {}

const depthMax = 32;

export class WireWriter {
  #buffer = Buffer.allocUnsafe(256);
  #at = 0;

  #room(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
    this.#buffer.copy(larger, 0, 0, this.#at);
    this.#buffer = larger;
  }

  varint(n: number): void {
    if (!Number.isSafeInteger(n) || n < 0) throw new WireError(`not an unsigned safe integer: ${n}`);
    this.#room(9);
    let rest = n;
    while (rest > 0x7f) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#at++] = rest;
  }

  bytes(value: Uint8Array): void {
    this.varint(value.length);
    this.#room(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }

  string(value: string): void {
    const length = Buffer.byteLength(value);
    this.varint(length);
    this.#room(length);
    this.#at += this.#buffer.write(value, this.#at, length, 'utf8');
  }

  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#at));
  }
}

const strictText = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class WireReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  readonly depth: number;

  constructor(bytes: Uint8Array, depth = 0) {
    if (depth > depthMax) throw new WireError('message is nested too deeply');
    this.#bytes = bytes;
    this.depth = depth;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new WireError('message is cut short');
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) throw new WireError('integer is larger than 2^53-1');
        return value;
      }
      scale *= 0x80;
    }
    throw new WireError('integer has more than ten bytes');
  }

  /** Of any 64 bits: a newer writer's field may hold what this one could not. */
  #skipVarint(): void {
    for (let i = 0; i < 10; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new WireError('message is cut short');
      if (byte < 0x80) return;
    }
    throw new WireError('integer has more than ten bytes');
  }

  bytes(): Uint8Array {
    const length = this.varint();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new WireError('message is cut short');
    const value = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return value;
  }

  string(): string {
    const bytes = this.bytes();
    try {
      return strictText.decode(bytes);
    } catch (cause) {
      throw new WireError('text is not UTF-8', { cause });
    }
  }

  skip(wireType: number): void {
    if (wireType === 0) this.#skipVarint();
    else if (wireType === 2) this.bytes();
    else if (wireType === 1 || wireType === 5) {
      this.#at += wireType === 1 ? 8 : 4;
      if (this.#at > this.#bytes.length) throw new WireError('message is cut short');
    } else throw new WireError(`unknown wire type ${wireType}`);
  }
}

interface Scalar<T> {
  readonly wireType: 0 | 2;
  readonly empty: T;
  readonly isEmpty: (value: T) => boolean;
  readonly write: (out: WireWriter, value: T) => void;
  readonly read: (from: WireReader) => T;
}

const uintScalar: Scalar<number> = {
  wireType: 0,
  empty: 0,
  isEmpty: (v) => v === 0,
  write: (out, v) => out.varint(v),
  read: (from) => from.varint(),
};
const boolScalar: Scalar<boolean> = {
  wireType: 0,
  empty: false,
  isEmpty: (v) => !v,
  write: (out, v) => out.varint(v ? 1 : 0),
  read: (from) => from.varint() !== 0,
};
const textScalar: Scalar<string> = {
  wireType: 2,
  empty: '',
  isEmpty: (v) => v.length === 0,
  write: (out, v) => out.string(v),
  read: (from) => from.string(),
};
const noBytes: Uint8Array = new Uint8Array(0);
const bytesScalar: Scalar<Uint8Array> = {
  wireType: 2,
  empty: noBytes,
  isEmpty: (v) => v.length === 0,
  write: (out, v) => out.bytes(v),
  read: (from) => from.bytes(),
};

function embedScalar<T>(codec: MessageCodec<T>): Scalar<T> {
  return {
    wireType: 2,
    empty: codec.initial,
    isEmpty: () => false,
    write: (out, v) => out.bytes(codec.encode(v)),
    read: (from) => codec.read(new WireReader(from.bytes(), from.depth + 1)),
  };
}

const tag = (number: number, wireType: number): number => number * 8 + wireType;

function checkType(number: number, wanted: number, wireType: number): void {
  if (wanted !== wireType) throw new WireError(`field ${number} has wire type ${wireType}, not ${wanted}`);
}

function single<T>(number: number, scalar: Scalar<T>): Field<T> {
  return {
    number,
    wireType: scalar.wireType,
    isRepeated: false,
    initial: () => scalar.empty,
    write: (out, value) => {
      if (scalar.isEmpty(value)) return;
      out.varint(tag(number, scalar.wireType));
      scalar.write(out, value);
    },
    read: (from, wireType) => {
      checkType(number, scalar.wireType, wireType);
      return scalar.read(from);
    },
  };
}

function optionalOf<T>(number: number, scalar: Scalar<T>): Field<T | undefined> {
  return {
    number,
    wireType: scalar.wireType,
    isRepeated: false,
    initial: () => undefined,
    write: (out, value) => {
      if (value === undefined) return;
      out.varint(tag(number, scalar.wireType));
      scalar.write(out, value);
    },
    read: (from, wireType) => {
      checkType(number, scalar.wireType, wireType);
      return scalar.read(from);
    },
  };
}

function repeatedOf<T>(number: number, scalar: Scalar<T>): Field<readonly T[]> {
  return {
    number,
    wireType: scalar.wireType,
    isRepeated: true,
    initial: () => [],
    // Never packed: each element has its own tag, which proto3 parsers must accept.
    write: (out, values) => {
      for (const value of values) {
        out.varint(tag(number, scalar.wireType));
        scalar.write(out, value);
      }
    },
    read: (from, wireType, before) => {
      // `before` is this decode's own array, made by `initial`.
      const values = before as T[];
      if (scalar.wireType === 0 && wireType === 2) {
        // Packed, as other writers send numbers.
        const packed = new WireReader(from.bytes(), from.depth);
        while (!packed.isAtEnd) values.push(scalar.read(packed));
        return values;
      }
      checkType(number, scalar.wireType, wireType);
      values.push(scalar.read(from));
      return values;
    },
  };
}

/** uint64 (uint32, enums too), as a safe integer. */
export const uint = (number: number): Field<number> => single(number, uintScalar);
export const bool = (number: number): Field<boolean> => single(number, boolScalar);
export const text = (number: number): Field<string> => single(number, textScalar);
export const bytes = (number: number): Field<Uint8Array> => single(number, bytesScalar);
/** `optional` in proto3: undefined differs from the default. */
export const optionalUint = (number: number): Field<number | undefined> => optionalOf(number, uintScalar);
export const optionalBool = (number: number): Field<boolean | undefined> => optionalOf(number, boolScalar);
export const optionalText = (number: number): Field<string | undefined> => optionalOf(number, textScalar);
export const optionalBytes = (number: number): Field<Uint8Array | undefined> => optionalOf(number, bytesScalar);
/** A message within the message; undefined when absent. */
export const embed = <T>(number: number, codec: MessageCodec<T>): Field<T | undefined> =>
  optionalOf(number, embedScalar(codec));
export const repeatedText = (number: number): Field<readonly string[]> => repeatedOf(number, textScalar);
export const repeatedBytes = (number: number): Field<readonly Uint8Array[]> => repeatedOf(number, bytesScalar);
export const repeatedUint = (number: number): Field<readonly number[]> => repeatedOf(number, uintScalar);
export const repeatedEmbed = <T>(number: number, codec: MessageCodec<T>): Field<readonly T[]> =>
  repeatedOf(number, embedScalar(codec));

export interface MessageCodec<T> extends Codec<T> {
  readonly initial: T;
  readonly read: (from: WireReader) => T;
}

/** A codec from a table of fields: `message({ path: text(1), version: uint(2) })`. Numbers are for ever; fields are only added. */
export function message<S extends Shape>(shape: S): MessageCodec<Values<S>> {
  const names = Object.keys(shape);
  const fields: readonly AnyField[] = names.map((name) => shape[name] as AnyField);
  const byNumber = new Map<number, number>();
  fields.forEach((field, at) => {
    if (byNumber.has(field.number)) throw new Error(`two fields have number ${field.number}`);
    byNumber.set(field.number, at);
  });
  const blank = (): Record<string, unknown> => {
    const value: Record<string, unknown> = {};
    names.forEach((name, at) => {
      value[name] = fields[at]?.initial();
    });
    return value;
  };
  const read = (from: WireReader): Values<S> => {
    const value = blank();
    while (!from.isAtEnd) {
      const key = from.varint();
      const wireType = key % 8;
      const at = byNumber.get(Math.floor(key / 8));
      const field = at === undefined ? undefined : fields[at];
      const name = at === undefined ? undefined : names[at];
      if (field === undefined || name === undefined) from.skip(wireType);
      else value[name] = field.read(from, wireType, value[name]);
    }
    return value as Values<S>;
  };
  return {
    initial: blank() as Values<S>,
    encode: (value) => {
      const out = new WireWriter();
      for (let at = 0; at < fields.length; at++) {
        const name = names[at];
        if (name !== undefined) fields[at]?.write(out, value[name as keyof S]);
      }
      return out.finish();
    },
    decode: (input) => read(new WireReader(input)),
    read,
  };
}

type FactTable = { readonly [name: string]: readonly [number, MessageCodec<never> | AnyMessage] };
// oxlint-disable-next-line typescript/no-explicit-any -- as above: `FactOf` restores the type of each variant.
type AnyMessage = MessageCodec<any>;
/** The union that a table of facts describes: each variant is its message's fields and its name as `type`. */
export type FactOf<T extends FactTable> = {
  readonly [K in keyof T & string]: T[K] extends readonly [number, MessageCodec<infer V>]
    ? { readonly type: K } & V
    : never;
}[keyof T & string];

/**
 * A `oneof` as a union: `facts({ secretWritten: [1, secretWritten], … })`. A fact of an unknown number refuses to decode: a
 * node that doesn't know what happened must stop rather than skip it.
 */
export function facts<const T extends FactTable>(table: T): Codec<FactOf<T>> {
  const names = new Map<number, string>(Object.keys(table).map((name) => [table[name]?.[0] ?? 0, name]));
  return {
    encode: (fact) => {
      const row = table[fact.type];
      if (row === undefined) throw new WireError(`unknown fact ${fact.type}`);
      const out = new WireWriter();
      out.varint(tag(row[0], 2));
      out.bytes((row[1] as AnyMessage).encode(fact));
      return out.finish();
    },
    decode: (input) => {
      const from = new WireReader(input);
      const key = from.varint();
      const name = names.get(Math.floor(key / 8));
      const row = name === undefined ? undefined : table[name];
      if (row === undefined || key % 8 !== 2) throw new WireError(`unknown fact number ${Math.floor(key / 8)}`);
      const value = (row[1] as AnyMessage).read(new WireReader(from.bytes(), 1));
      if (!from.isAtEnd) throw new WireError('bytes follow the fact');
      value['type'] = name;
      return value;
    },
  };
}
