import { isDeepStrictEqual } from 'node:util';
import protobuf from 'protobufjs';

/** A codec of `@lockstep/contract/wire`, as far as comparing needs it. */
export interface ComparedCodec {
  readonly encode: (value: never) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => unknown;
}

type Plain = { [name: string]: unknown };

/** Deeper than any message here; recursive messages end there. */
const depthMax = 5;

/**
 * How a codec and a protobuf message differ; empty when they agree. What protobufjs writes must be read here with the same
 * fields and values, and what is then written here must be read by protobufjs as the original. Names agree when they do in
 * snake_case.
 */
export function codecDifferences(codec: ComparedCodec, type: protobuf.Type): readonly string[] {
  return samplesOf(type).flatMap((sample) => roundTrip(codec, type, { sample, read: (value) => value }));
}

/** Likewise for a table of facts and the message whose oneof `fact` lists them. */
export function factDifferences(codec: ComparedCodec, type: protobuf.Type): readonly string[] {
  const facts = factUnion(type)?.fieldsArray ?? [];
  const known = Array.from({ length: 2 * Math.max(...facts.map((fact) => fact.id)) + 20 }, (_, at) => at + 1).filter(
    (number) => isKnownFact(codec, number),
  );
  const unlisted = known.filter((number) => facts.every((fact) => fact.id !== number));
  const differences = facts.flatMap((fact) => {
    if (!(fact.resolvedType instanceof protobuf.Type)) return [`${fact.name} is no message`];
    return samplesOf(fact.resolvedType).flatMap((sample) => {
      const read = (value: unknown): unknown => withoutType(value, fact.name);
      return roundTrip(codec, type, { sample: { [fact.name]: sample }, read });
    });
  });
  return [...unlisted.map((number) => `fact ${number} is not in ${type.name}`), ...differences];
}

/** The oneof `fact` of the message that lists an engine's facts; undefined for other messages. */
export function factUnion(type: protobuf.Type): protobuf.OneOf | undefined {
  return type.oneofsArray.find((union) => union.name === 'fact');
}

function isKnownFact(codec: ComparedCodec, number: number): boolean {
  try {
    codec.decode(
      protobuf.Writer.create()
        .uint32(number * 8 + 2)
        .bytes(new Uint8Array(0))
        .finish(),
    );
    return true;
  } catch {
    // An unknown number is refused; that is what is asked here.
    return false;
  }
}

function withoutType(value: unknown, factName: string): unknown {
  if (!isPlain(value) || typeof value['type'] !== 'string') return value;
  const { type, ...fields } = value;
  return { [snakeCase(String(type))]: fields, ...(snakeCase(String(type)) === factName ? {} : { type }) };
}

interface Trip {
  readonly sample: Plain;
  /** What was decoded, in the shape of the sample. */
  readonly read: (value: unknown) => unknown;
}

function roundTrip(codec: ComparedCodec, type: protobuf.Type, { sample, read }: Trip): readonly string[] {
  try {
    const decoded = codec.decode(type.encode(type.fromObject(sample)).finish());
    const ours = comparable(read(decoded));
    const wanted = comparable(filledIn(sample, type));
    if (!isDeepStrictEqual(ours, wanted)) return [`${type.name}: wrote ${show(wanted)}, read ${show(ours)}`];
    const encoded = codec.encode(decoded as never);
    const back = comparable(filledIn(type.toObject(type.decode(encoded), { longs: Number }), type));
    return isDeepStrictEqual(back, wanted) ? [] : [`${type.name}: ${show(wanted)} comes back as ${show(back)}`];
  } catch (error) {
    return [`${type.name}: ${show(comparable(sample))}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

function samplesOf(type: protobuf.Type): readonly Plain[] {
  return [sampleOf(type, { isFull: true, depth: 0 }), sampleOf(type, { isFull: false, depth: 0 }), {}];
}

/** Every field with a value of its own; or only those that can be present with a default, with that. */
function sampleOf(type: protobuf.Type, { isFull, depth }: { isFull: boolean; depth: number }): Plain {
  const sample: Plain = {};
  for (const field of type.fieldsArray) {
    if (field instanceof protobuf.MapField)
      throw new Error(`${field.fullName}: maps have no codec; use a repeated message`);
    const isMessage = field.resolvedType instanceof protobuf.Type;
    if (isMessage && depth === depthMax) continue;
    if (!isFull && (field.repeated || !(isMessage || isOptional(field)))) continue;
    const value = (variant: number): unknown =>
      field.resolvedType instanceof protobuf.Type
        ? sampleOf(field.resolvedType, { isFull, depth: depth + 1 })
        : isFull
          ? scalarSample(field, variant)
          : zeroOf(field);
    sample[field.name] = field.repeated ? [value(0), value(1)] : value(0);
  }
  return sample;
}

function scalarSample(field: protobuf.Field, variant: number): unknown {
  if (field.resolvedType instanceof protobuf.Enum) return Math.max(...Object.values(field.resolvedType.values));
  if (field.type === 'string') return `text ${field.id}.${variant} é`;
  if (field.type === 'bytes') return Buffer.from([0xff, field.id & 0xff, variant]);
  if (field.type === 'bool') return true;
  return (field.type.endsWith('64') ? 2 ** 40 : 2 ** 20) + field.id * 2 + variant;
}

function zeroOf(field: protobuf.Field): unknown {
  if (field.type === 'string') return '';
  if (field.type === 'bytes') return Buffer.alloc(0);
  return field.type === 'bool' ? false : 0;
}

function isOptional(field: protobuf.Field): boolean {
  return field.options?.['proto3_optional'] === true || field.partOf !== null;
}

/** With every field of the message named: absent ones undefined, or as proto3's default. */
function filledIn(value: unknown, type: protobuf.Type): Plain {
  const given = isPlain(value) ? value : {};
  const isFactUnion = factUnion(type) !== undefined;
  const fields = isFactUnion ? type.fieldsArray.filter((field) => field.name in given) : type.fieldsArray;
  const pairs = fields.map((field): [string, unknown] => {
    const inside = given[field.name];
    const nested = field.resolvedType;
    if (inside === undefined) {
      return [
        field.name,
        field.repeated ? [] : nested instanceof protobuf.Type || isOptional(field) ? undefined : zeroOf(field),
      ];
    }
    if (!(nested instanceof protobuf.Type)) return [field.name, inside];
    return [field.name, Array.isArray(inside) ? inside.map((one) => filledIn(one, nested)) : filledIn(inside, nested)];
  });
  return Object.fromEntries(pairs);
}

function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return `hex:${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return value.map(comparable);
  if (!isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inside]) => [snakeCase(name), comparable(inside)]));
}

function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

export function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function show(value: unknown): string {
  return JSON.stringify(value, (_name, inside: unknown) => (inside === undefined ? '(absent)' : inside));
}
