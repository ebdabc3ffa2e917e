import type { Json, JsonObject } from '@lockstep/client/client';
import { isObject, readSource } from './api.ts';
import { localFailure } from './failure.ts';

/**
 * `key=value` arguments as an object, with Vault's forms: `key=@file` and `key=-` take a file's text or stdin's, `\@` starts a value
 * with an @; `@file.json` and `-` alone are a whole JSON object. A key given twice becomes a list. Values are strings.
 */
export async function parseKeyValues(args: readonly string[], readStdin: () => Promise<string>): Promise<JsonObject> {
  const values: { [key: string]: Json } = {};
  for (const arg of args) {
    if (arg === '-' || arg.startsWith('@')) {
      Object.assign(values, jsonObject(await readSource(arg === '-' ? '-' : arg.slice(1), readStdin), arg));
      continue;
    }
    const at = arg.indexOf('=');
    if (at < 1) throw localFailure(`"${arg}" must be of the form key=value, @file.json or -`);
    const key = arg.slice(0, at);
    const value = await valueOf(arg.slice(at + 1), readStdin);
    const before = Object.hasOwn(values, key) ? values[key] : undefined;
    if (before === undefined) values[key] = value;
    else values[key] = Array.isArray(before) ? [...before, value] : [before, value];
  }
  return values;
}

async function valueOf(value: string, readStdin: () => Promise<string>): Promise<string> {
  if (value === '-') return await readSource('-', readStdin);
  if (value.startsWith('@')) return await readSource(value.slice(1), readStdin);
  return value.startsWith('\\@') ? value.slice(1) : value;
}

function jsonObject(text: string, source: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Without the parser's text: it quotes what may be a secret.
    throw localFailure(`${source === '-' ? 'stdin' : source.slice(1)} is not valid JSON`);
  }
  if (!isObject(value)) throw localFailure(`${source === '-' ? 'stdin' : source.slice(1)} must hold a JSON object`);
  return value;
}
