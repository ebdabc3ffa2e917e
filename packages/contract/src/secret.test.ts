import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { format, inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from './secret.ts';

const plaintext = 'hunter2';
const secret = Secret.fromText(plaintext);
// oxlint-disable-next-line typescript/restrict-template-expressions -- what lint refuses must be harmless where lint is off.
const inTemplate = `${secret}`;
// oxlint-disable-next-line typescript/no-misused-spread -- likewise.
const spread = { ...secret };

function printed(value: unknown): string {
  const chunks: string[] = [];
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk.toString());
      done();
    },
  });
  const target = new Console(sink, sink);
  target.log(value);
  target.error('%s %o %O %j', value, value, value, value);
  target.table([value]);
  target.dir(value, { showHidden: true, depth: null });
  return chunks.join('');
}

describe('a secret cannot be printed', () => {
  const error = new Error('refused', { cause: secret });
  it.each([
    ['a template', inTemplate],
    ['concatenation', `a ${String(secret)}`],
    ['JSON', JSON.stringify({ password: secret, list: [secret] })],
    ['inspect', inspect(secret)],
    ['inspect with hidden properties', inspect({ nested: { secret } }, { showHidden: true, depth: null })],
    ['inspect that ignores custom inspection', inspect(secret, { customInspect: false, showHidden: true })],
    ['inspect through a proxy', inspect(new Proxy(secret, {}), { showProxy: true })],
    ['format', format('%s %o %O %j', secret, secret, secret, secret)],
    ['the console', printed({ secret, deep: { er: { still: { secret } } } })],
    ['an error that it caused', inspect(error) + String(error) + String(error.stack)],
    ['its own keys', JSON.stringify([Object.keys(secret), Object.entries(secret), spread])],
    ['a structured clone', inspect(structuredClone(secret), { showHidden: true })],
  ])('by %s', (_way, output) => {
    const forms = [plaintext, Buffer.from(plaintext).toString('hex'), Buffer.from(plaintext).toString('base64')];
    const bytes = [...Buffer.from(plaintext)];
    for (const form of [...forms, bytes.join(','), bytes.join(', '), inspect(Buffer.from(plaintext)).slice(8, -1)]) {
      expect(output).not.toContain(form);
    }
  });

  it('and says so where it stands', () => {
    expect(inTemplate).toBe('[secret]');
    expect(JSON.stringify({ secret })).toBe('{"secret":"[secret]"}');
    expect(inspect({ secret })).toBe('{ secret: [secret] }');
  });
});

describe('a secret', () => {
  it('reveals its bytes and text to who asks by name', () => {
    expect(secret.reveal()).toEqual(Buffer.from(plaintext));
    expect(secret.revealText()).toBe(plaintext);
  });

  it('equals only the same bytes', () => {
    expect(secret.equals(Secret.fromText(plaintext))).toBe(true);
    expect(secret.equals(Secret.fromText('hunter3'))).toBe(false);
    expect(secret.equals(Secret.fromText('hunter22'))).toBe(false);
    expect(Secret.fromText('').equals(Secret.fromText(''))).toBe(true);
  });

  it('is gone once wiped, from the buffer it took over too', () => {
    const bytes = Buffer.from('key material');
    const taken = new Secret(bytes);
    taken.wipe();
    expect(bytes).toEqual(Buffer.alloc(12));
    expect(taken.revealText()).toBe('\0'.repeat(12));
  });
});
