import { createHmac, type KeyObject } from 'node:crypto';
import type { Json } from '@lockstep/contract/json';
import { depthMax, rememberedLengthMax, rememberedMax } from './limits.ts';

/**
 * Replaces every string by its keyed fingerprint, `hmac-sha256:<hex>`, as Vault's audit does: who holds a value can find it in
 * the trail, who reads the trail learns no value. Numbers, booleans and the names of members stay as they are.
 */
export class Fingerprints {
  readonly #key: KeyObject;
  readonly #remembered = new Map<string, string>();

  constructor(key: KeyObject) {
    this.#key = key;
  }

  of(text: string | Buffer): string {
    if (typeof text !== 'string' || text.length > rememberedLengthMax) return this.#compute(text);
    const known = this.#remembered.get(text);
    if (known !== undefined) return known;
    const computed = this.#compute(text);
    if (this.#remembered.size >= rememberedMax) this.#remembered.clear();
    this.#remembered.set(text, computed);
    return computed;
  }

  /** Without remembering: for values that come once (a token, a private key). */
  ofOnce(text: string | Buffer): string {
    return this.#compute(text);
  }

  /** The same structure with every string replaced. What is nested deeper than `depthMax` is left out, and says so. */
  redact(value: Json | undefined, depth = 0): Json {
    if (typeof value === 'string') return this.of(value);
    if (typeof value !== 'object' || value === null) return value ?? null;
    if (depth >= depthMax) return 'nested too deeply';
    if (Array.isArray(value)) return value.map((element: Json) => this.redact(element, depth + 1));
    const redacted: { [name: string]: Json } = {};
    for (const [name, member] of Object.entries(value))
      if (member !== undefined) redacted[name] = this.redact(member, depth + 1);
    return redacted;
  }

  #compute(text: string | Buffer): string {
    return `hmac-sha256:${createHmac('sha256', this.#key).update(text).digest('hex')}`;
  }
}
