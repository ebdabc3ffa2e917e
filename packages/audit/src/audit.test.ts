import { createSecretKey } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditSink } from '@lockstep/contract/audit-sink';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { requestPart, responsePart } from './entry.ts';
import { openFileSink } from './file/file-sink.ts';
import { Fingerprints } from './fingerprint.ts';
import { Trail } from './trail.ts';
import { verifyTrail } from './verify-trail.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-audit-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const fingerprints = new Fingerprints(createSecretKey(Buffer.alloc(32, 7)));
const trailOf = (...sinks: readonly AuditSink[]) => new Trail({ sinks, wallMs: () => 0, run: 'r1' });
const linesOf = (file: string) => readFileSync(file, 'utf8');
const request = {
  id: 'id-1',
  operation: 'write',
  path: 'secret/data/a',
  data: { password: 'hunter2', count: 3, nested: { list: ['hunter2', true] } },
  remoteAddress: '127.0.0.1',
  door: 'http',
  token: Buffer.from('hvs.token'),
  mount: { type: 'kv', point: 'secret/' },
};

test('no string value of a request, a reply or a token is written in the clear', () => {
  const caller = { accessor: 'acc-1', displayName: 'root', policies: ['root'] };
  const text =
    requestPart(fingerprints, request, caller) +
    responsePart(fingerprints, {
      kind: 'answered',
      data: { private_key: 'KEY' },
      auth: { accessor: 'acc-2', clientToken: 'hvs.new' },
    });
  for (const secret of ['hunter2', 'hvs.token', 'hvs.new', 'acc-1', 'acc-2', 'KEY']) expect(text).not.toContain(secret);
  expect(JSON.parse(`{${requestPart(fingerprints, request, caller)}}`).request).toMatchObject({
    operation: 'update',
    path: 'secret/data/a',
    data: { count: 3, nested: { list: [expect.stringMatching(/^hmac-sha256:[0-9a-f]{64}$/), true] } },
  });
});

test('the same value has the same fingerprint, remembered or not, and another key gives another', () => {
  expect(fingerprints.of('a')).toBe(fingerprints.ofOnce('a'));
  expect(new Fingerprints(createSecretKey(Buffer.alloc(32, 8))).of('a')).not.toBe(fingerprints.of('a'));
});

test('redaction keeps structure, numbers and booleans of any JSON', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
      const shape = (v: unknown): unknown =>
        typeof v === 'string'
          ? 's'
          : Array.isArray(v)
            ? v.map(shape)
            : v !== null && typeof v === 'object'
              ? Object.fromEntries(Object.entries(v).map(([k, m]) => [k, shape(m)]))
              : v;
      expect(shape(fingerprints.redact(value as never))).toEqual(shape(value));
    }),
  );
});

test('without a sink that holds the line the request is refused', async () => {
  const full = await openFileSink('/dev/full');
  await expect(trailOf(full).record('request', '"a":1')).rejects.toMatchObject({ code: 'unavailable' });
  await full.close();
});

test('one sink that holds the line is enough', async () => {
  const full = await openFileSink('/dev/full');
  const file = join(folder, 'audit.log');
  const good = await openFileSink(file);
  const trail = trailOf(full, good);
  await trail.record('request', '"a":1');
  await trail.close();
  expect(linesOf(file)).toContain('"a":1');
});

test('a file in a folder that is not there is refused by name', async () => {
  await expect(openFileSink(join(folder, 'none', 'audit.log'))).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('none/audit.log'),
  });
});

test('the file is for its owner only', async () => {
  const file = join(folder, 'audit.log');
  await (await openFileSink(file)).close();
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('lines keep their order under concurrency, and the chain verifies', async () => {
  const file = join(folder, 'audit.log');
  const trail = trailOf(await openFileSink(file));
  await Promise.all(Array.from({ length: 500 }, (_, n) => trail.record('request', `"n":${n}`)));
  await trail.close();
  const text = linesOf(file);
  expect(
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).n),
  ).toEqual(Array.from({ length: 500 }, (_, n) => n));
  expect(verifyTrail(text)).toEqual({ kind: 'whole', lines: 500, runs: 1 });
});

test.each([
  { name: 'removed', change: (lines: string[]) => lines.toSpliced(3, 1), line: 4 },
  {
    name: 'changed',
    change: (lines: string[]) => lines.toSpliced(3, 1, lines[3]?.replace('"n":3', '"n":9') ?? ''),
    line: 5,
  },
  { name: 'moved', change: (lines: string[]) => lines.toSpliced(3, 2, lines[4] ?? '', lines[3] ?? ''), line: 4 },
  { name: 'garbled', change: (lines: string[]) => lines.toSpliced(3, 1, 'x'), line: 4 },
])('a line that was $name is noticed', async ({ change, line }) => {
  const file = join(folder, 'audit.log');
  const trail = trailOf(await openFileSink(file));
  for (let n = 0; n < 8; n++) await trail.record('request', `"n":${n}`);
  await trail.close();
  expect(verifyTrail(`${change(linesOf(file).trim().split('\n')).join('\n')}\n`)).toMatchObject({
    kind: 'broken',
    line,
  });
});

test('after a file was moved away, reopening begins a new one where the chain goes on', async () => {
  const file = join(folder, 'audit.log');
  const trail = trailOf(await openFileSink(file));
  await trail.record('request', '"n":1');
  renameSync(file, `${file}.1`);
  await trail.reopen();
  await trail.record('request', '"n":2');
  await trail.close();
  expect(verifyTrail(linesOf(`${file}.1`) + linesOf(file))).toEqual({ kind: 'whole', lines: 2, runs: 1 });
  expect(verifyTrail(linesOf(file))).toMatchObject({ kind: 'whole', lines: 1 });
});
