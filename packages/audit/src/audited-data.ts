import { LockstepError } from '@lockstep/contract/errors';
import type { Json } from '@lockstep/contract/json';
import type { Fingerprints } from './fingerprint.ts';
import { dataDepthMax, valuesPerLineMax } from './limits.ts';

/**
 * The JSON of data with a fingerprint for every string and every byte array; names, numbers and booleans stay. After
 * `valuesPerLineMax` values, what follows is one fingerprint of its JSON for each member. Refuses with `too-large` what is
 * nested deeper than `dataDepthMax`; data that contains itself is.
 */
export function auditedData(fingerprints: Fingerprints, data: Json | undefined): string {
  return new DataWriter(fingerprints).write(data, 0);
}

class DataWriter {
  readonly #fingerprints: Fingerprints;
  #values = 0;

  constructor(fingerprints: Fingerprints) {
    this.#fingerprints = fingerprints;
  }

  /** Takes unknown values although its callers give JSON: nothing may pass unhashed for being of an unforeseen kind. */
  write(value: unknown, depth: number): string {
    if (value === null || value === undefined) return 'null';
    switch (typeof value) {
      case 'string':
        return this.#quoted(this.#fingerprints.ofText(value));
      case 'boolean':
        return value ? 'true' : 'false';
      case 'number':
        return Number.isFinite(value) ? String(value) : 'null';
      case 'object':
        return this.#container(value, depth);
      case 'bigint':
        return this.#quoted(this.#fingerprints.ofText(value.toString()));
      default:
        throw new LockstepError('invalid-input', `audit: data holds a ${typeof value}`);
    }
  }

  #container(value: object, depth: number): string {
    if (depth >= dataDepthMax)
      throw new LockstepError('too-large', `audit: data is nested deeper than ${dataDepthMax} levels`);
    if (value instanceof Uint8Array) return this.#quoted(this.#fingerprints.ofBytes(value));
    if (this.#values >= valuesPerLineMax) return this.#asAWhole(value);
    return Array.isArray(value) ? this.#array(value, depth) : this.#object(value, depth);
  }

  #array(items: readonly unknown[], depth: number): string {
    const parts: string[] = [];
    for (const [at, item] of items.entries()) {
      if (this.#values >= valuesPerLineMax) {
        parts.push(this.#asAWhole(items.slice(at)));
        break;
      }
      parts.push(this.write(item, depth + 1));
    }
    return `[${parts.join(',')}]`;
  }

  #object(value: object, depth: number): string {
    let json = '';
    for (const [name, member] of Object.entries(value)) {
      if (member === undefined) continue;
      json += `${json === '' ? '{' : ','}${JSON.stringify(name)}:${this.write(member, depth + 1)}`;
    }
    return json === '' ? '{}' : `${json}}`;
  }

  #asAWhole(value: object): string {
    let json: string;
    try {
      json = JSON.stringify(value);
    } catch (cause) {
      throw new LockstepError('too-large', 'audit: data is too deep or contains itself', { cause });
    }
    return this.#quoted(this.#fingerprints.ofText(json));
  }

  /** A fingerprint has nothing to escape. */
  #quoted(fingerprint: string): string {
    this.#values++;
    return `"${fingerprint}"`;
  }
}
