import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type NodeConfig, readConfig } from './config.ts';
import { openClusterFiles } from './dev/cluster-files.ts';
import { ballastBytes, ballastBytesMax, stopFreeBytes, stopFreeBytesMin, warnFreeBytes } from './disk/limits.ts';
import { anyBasePort } from './dev/free-ports.ts';

let directory: string;
let file: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'lockstep-config-'));
  const cluster = await openClusterFiles({ directory, nodes: 1, basePort: anyBasePort(), plainHttp: true });
  file = cluster.nodes[0]?.configFile ?? expect.unreachable();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function read(change: { readonly [name: string]: unknown }): NodeConfig['disk'] {
  const changed = `${file}.changed.json`;
  writeFileSync(changed, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...change }));
  return readConfig(changed).disk;
}

test.each([
  ['not an object', 5, /disk must be an object/],
  [
    'an unknown key',
    { free: 1 },
    /disk has unknown keys: free \(known: warn_free_bytes, stop_free_bytes, ballast_bytes\)/,
  ],
  ['text', { stop_free_bytes: '1' }, /disk\.stop_free_bytes must be a whole number of bytes from 67108864 to/],
  ['one below the least stop mark', { stop_free_bytes: stopFreeBytesMin - 1 }, /disk\.stop_free_bytes must be/],
  [
    'a warning below the stop mark',
    { stop_free_bytes: 2 ** 30, warn_free_bytes: 2 ** 30 - 1 },
    /disk\.warn_free_bytes must be a whole number of bytes from 1073741824/,
  ],
  ['one past the largest ballast', { ballast_bytes: ballastBytesMax + 1 }, /disk\.ballast_bytes must be/],
  ['a negative ballast', { ballast_bytes: -1 }, /disk\.ballast_bytes must be a whole number of bytes from 0/],
])('%s is refused', (_name, disk, message) => {
  expect(() => read({ disk })).toThrow(message);
});

test('the bounds are taken', () => {
  const disk = { stop_free_bytes: stopFreeBytesMin, warn_free_bytes: stopFreeBytesMin, ballast_bytes: ballastBytesMax };
  expect(read({ disk })).toEqual({
    stopFreeBytes: stopFreeBytesMin,
    warnFreeBytes: stopFreeBytesMin,
    ballastBytes: ballastBytesMax,
  });
});

test('without it the defaults hold; a development node has no ballast', () => {
  expect(read({})).toEqual({ warnFreeBytes, stopFreeBytes, ballastBytes: 0 });
  const seal = { type: 'shamir' };
  const [http, grpc] = ['http', 'grpc'].map((door) => ({
    address: `127.0.0.1:${door === 'http' ? 1 : 2}`,
    tls_cert_file: 'door.pem',
    tls_key_file: 'door.key',
  }));
  expect(read({ dev: false, seal, http, grpc }).ballastBytes).toBe(ballastBytes);
});
