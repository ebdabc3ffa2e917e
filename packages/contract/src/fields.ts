import { parseDuration } from './duration.ts';
import { fieldError } from './errors.ts';
import type { Json, JsonObject } from './json.ts';

export type FieldType = 'string' | 'integer' | 'boolean' | 'duration' | 'list' | 'map' | 'object' | 'bytes';

/** One field of a route: from it come validation and its messages, the HTTP and gRPC forms, and the reference pages. */
export interface FieldSpec<T> {
  readonly type: FieldType;
  readonly description: string;
  readonly isRequired: boolean;
  /** What the handler sees when the caller sent nothing. */
  readonly initial: T;
  /** Throws `invalid-input`, naming the field and the rule. */
  readonly parse: (name: string, raw: unknown) => T;
}

// oxlint-disable-next-line typescript/no-explicit-any -- the value type is restored per field by FieldValues.
export type Fields = { readonly [name: string]: FieldSpec<any> };
export type FieldValues<S extends Fields> = { readonly [K in keyof S]: S[K] extends FieldSpec<infer T> ? T : never };

interface Described {
  readonly description: string;
}
interface WithDefault<T> extends Described {
  readonly default: T;
}
interface Required extends Described {
  readonly required: true;
}

const refuse = (name: string, rule: string): never => {
  throw fieldError(name, rule);
};

function field<T>(
  type: FieldType,
  options: Described,
  parse: (name: string, raw: unknown) => T,
): FieldSpec<T | undefined> {
  const given = options as Partial<WithDefault<T> & Required> & Described;
  return {
    type,
    description: options.description,
    isRequired: given.required === true,
    initial: given.default,
    parse,
  };
}

/** The default bound on a text field, in UTF-16 code units: longer than any name, path or template in use. */
export const textLengthMax = 4096;

interface TextOptions {
  readonly max?: number;
  readonly oneOf?: readonly string[];
}
function parseText(options: TextOptions): (name: string, raw: unknown) => string {
  const max = options.max ?? textLengthMax;
  return (name, raw) => {
    if (typeof raw !== 'string' && typeof raw !== 'number' && typeof raw !== 'boolean')
      return refuse(name, 'must be a string');
    const value = String(raw);
    if (value.length > max) return refuse(name, `must be at most ${max} characters long`);
    if (value.includes('\0')) return refuse(name, 'must not contain a NUL character');
    if (!value.isWellFormed()) return refuse(name, 'must be valid Unicode');
    if (options.oneOf !== undefined && !options.oneOf.includes(value))
      return refuse(name, `must be one of ${options.oneOf.join(', ')}`);
    return value;
  };
}
export function textField(options: TextOptions & (WithDefault<string> | Required)): FieldSpec<string>;
export function textField(options: TextOptions & Described): FieldSpec<string | undefined>;
export function textField(options: TextOptions & Described): FieldSpec<string | undefined> {
  return field('string', options, parseText(options));
}

interface IntegerOptions {
  readonly min?: number;
  readonly max?: number;
}
function parseInteger(options: IntegerOptions): (name: string, raw: unknown) => number {
  const min = options.min ?? 0;
  const max = options.max ?? Number.MAX_SAFE_INTEGER;
  return (name, raw) => {
    const value =
      typeof raw === 'number'
        ? raw
        : typeof raw === 'string' && /^-?\d{1,16}$/.test(raw.trim())
          ? Number(raw)
          : Number.NaN;
    if (!Number.isSafeInteger(value)) return refuse(name, 'must be a whole number');
    if (value < min || value > max)
      return refuse(
        name,
        max === Number.MAX_SAFE_INTEGER ? `must be at least ${min}` : `must be from ${min} to ${max}`,
      );
    return value;
  };
}
export function integerField(options: IntegerOptions & (WithDefault<number> | Required)): FieldSpec<number>;
export function integerField(options: IntegerOptions & Described): FieldSpec<number | undefined>;
export function integerField(options: IntegerOptions & Described): FieldSpec<number | undefined> {
  return field('integer', options, parseInteger(options));
}

/** What Go's strconv.ParseBool takes, since clients send `True`, `1` and `t`. */
export function parseBoolean(name: string, raw: unknown): boolean {
  if (typeof raw === 'boolean') return raw;
  const spelled = typeof raw === 'number' ? String(raw) : raw;
  if (typeof spelled === 'string') {
    if (/^(1|t|T|true|TRUE|True)$/.test(spelled)) return true;
    if (/^(0|f|F|false|FALSE|False)$/.test(spelled)) return false;
  }
  return refuse(name, 'must be true or false');
}
export function booleanField(options: WithDefault<boolean> | (Required & Described)): FieldSpec<boolean>;
export function booleanField(options: Described): FieldSpec<boolean | undefined>;
export function booleanField(options: Described): FieldSpec<boolean | undefined> {
  return field('boolean', options, parseBoolean);
}

/** Seconds. */
export function durationField(options: WithDefault<number> | (Required & Described)): FieldSpec<number>;
export function durationField(options: Described): FieldSpec<number | undefined>;
export function durationField(options: Described): FieldSpec<number | undefined> {
  return field('duration', options, parseDuration);
}

/** The default bound on the elements of a list field. */
export const listLengthMax = 1000;
function parseList(options: { readonly max?: number }): (name: string, raw: unknown) => readonly string[] {
  const max = options.max ?? listLengthMax;
  const element = parseText({});
  return (name, raw) => {
    const parts = Array.isArray(raw)
      ? raw
      : typeof raw === 'string'
        ? raw === ''
          ? []
          : raw.split(',')
        : refuse(name, 'must be a list of strings, or one string with commas');
    if (parts.length > max) return refuse(name, `must have at most ${max} elements`);
    return parts.map((part: unknown) => element(name, part).trim()).filter((part) => part !== '');
  };
}
/** A list of strings: a JSON array, or one string separated by commas. */
export function listField(
  options: { readonly max?: number } & (WithDefault<readonly string[]> | Required),
): FieldSpec<readonly string[]>;
export function listField(options: { readonly max?: number } & Described): FieldSpec<readonly string[] | undefined>;
export function listField(options: { readonly max?: number } & Described): FieldSpec<readonly string[] | undefined> {
  return field('list', options, parseList(options));
}

export function isObject(raw: unknown): raw is { readonly [key: string]: unknown } {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw);
}

function parseObject(name: string, raw: unknown): JsonObject {
  if (!isObject(raw)) return refuse(name, 'must be an object');
  return raw as JsonObject;
}
/** Any JSON object, as the caller sent it. */
export function objectField(options: WithDefault<JsonObject> | (Required & Described)): FieldSpec<JsonObject>;
export function objectField(options: Described): FieldSpec<JsonObject | undefined>;
export function objectField(options: Described): FieldSpec<JsonObject | undefined> {
  return field('object', options, parseObject);
}

/** Text values by text keys; an object, or a list of "key=value". */
export function mapField(
  options: WithDefault<{ readonly [key: string]: string }>,
): FieldSpec<{ readonly [key: string]: string }>;
export function mapField(options: Described): FieldSpec<{ readonly [key: string]: string } | undefined>;
export function mapField(options: Described): FieldSpec<{ readonly [key: string]: string } | undefined> {
  const element = parseText({});
  return field('map', options, (name, raw) => {
    const pairs: readonly (readonly [string, unknown])[] = isObject(raw)
      ? Object.entries(raw)
      : (Array.isArray(raw) ? raw : refuse(name, 'must be an object of strings')).map(
          (pair: unknown): readonly [string, unknown] => {
            const spelled = element(name, pair);
            const at = spelled.indexOf('=');
            return at < 1
              ? refuse(name, 'must hold elements of the form key=value')
              : [spelled.slice(0, at), spelled.slice(at + 1)];
          },
        );
    if (pairs.length > listLengthMax) return refuse(name, `must have at most ${listLengthMax} keys`);
    return Object.fromEntries(pairs.map(([key, value]) => [element(name, key), element(`${name}.${key}`, value)]));
  });
}

/**
 * Reads a request's fields by their specs. Unknown names are not an error (Vault's clients send some); they come back for a
 * warning in the reply.
 */
export function parseFields<S extends Fields>(
  specs: S,
  raw: { readonly [name: string]: unknown },
): { values: FieldValues<S>; unknown: readonly string[] } {
  const values: { [name: string]: Json | undefined } = {};
  for (const name of Object.keys(specs)) {
    const spec = specs[name];
    if (spec === undefined) continue;
    const given = Object.hasOwn(raw, name) ? raw[name] : undefined;
    if (given === undefined || given === null) {
      if (spec.isRequired) refuse(name, 'is required');
      values[name] = spec.initial;
    } else values[name] = spec.parse(name, given);
  }
  const unknown = Object.keys(raw).filter((name) => !Object.hasOwn(specs, name));
  return { values: values as FieldValues<S>, unknown };
}
