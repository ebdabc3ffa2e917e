import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DataDirectory } from './data-directory.ts';
import { openRealNode, type RealNode } from './real-node.fixture.ts';

// A node whose disk has lost a part must not begin anew under its old id, and says what is to be done.
let node: RealNode;

/** As the node left it, once initialised. */
let whole: string;

beforeAll(async () => {
  node = await openRealNode();
  await node.stop();
  whole = folder('..', 'whole');
  cpSync(node.config.dataDirectory, whole, { recursive: true });
});
beforeEach(() => {
  rmSync(node.config.dataDirectory, { recursive: true });
  cpSync(whole, node.config.dataDirectory, { recursive: true });
});
afterEach(() => node.stop());
afterAll(() => node.close());

const folder = (...names: readonly string[]): string => join(node.config.dataDirectory, ...names);
const refusal = (what: string): object => ({
  code: 'damaged',
  message: expect.stringMatching(
    new RegExp(`not whole: ${what}.*remove this node from the cluster.*let a new node join`),
  ),
});

describe('a node refuses to start', () => {
  test('where its log is gone, again and again, and starts once it is back', async () => {
    renameSync(folder('log'), folder('..', 'log-elsewhere'));
    for (let attempt = 0; attempt < 2; attempt++)
      await expect(node.start()).rejects.toMatchObject(refusal('its log is gone'));
    expect(existsSync(folder('log'))).toBe(false);
    renameSync(folder('..', 'log-elsewhere'), folder('log'));
    await node.start();
  });

  test('where its log was emptied', async () => {
    rmSync(folder('log'), { recursive: true });
    mkdirSync(folder('log'));
    await expect(node.start()).rejects.toMatchObject(refusal('its log is gone'));
  });

  test('where its state is gone', async () => {
    rmSync(folder('state'), { recursive: true });
    for (let attempt = 0; attempt < 2; attempt++)
      await expect(node.start()).rejects.toMatchObject(refusal('its state is gone'));
  });

  test('where the log and the stamp of its disk are gone, and the state is not of the first moment', async () => {
    rmSync(folder('log'), { recursive: true });
    rmSync(folder('NODE'));
    for (let attempt = 0; attempt < 2; attempt++)
      await expect(node.start()).rejects.toMatchObject(refusal('its log is gone'));
  });

  test('where the log is another disk\u2019s, whose node had the same id', async () => {
    const stamp = JSON.parse(readFileSync(folder('NODE'), 'utf8'));
    writeFileSync(folder('NODE'), `${JSON.stringify({ ...stamp, incarnation: stamp.incarnation + 1 })}\n`);
    for (let attempt = 0; attempt < 2; attempt++)
      await expect(node.start()).rejects.toMatchObject(refusal('its log belongs to another disk'));
  });
});

test('a first start that was cut short is begun again: with nothing, with an empty state, and without a stamp', async () => {
  rmSync(node.config.dataDirectory, { recursive: true });
  const directory = await DataDirectory.open(node.config.dataDirectory);
  expect(directory.mayBegin({ appliedIndex: 0, controlIndex: 0 })).toBe(true);
  mkdirSync(directory.stateDirectory);
  writeFileSync(join(directory.stateDirectory, 'current'), 'state-1\n');
  const withState = await DataDirectory.open(node.config.dataDirectory);
  expect(withState.mayBegin({ appliedIndex: 0, controlIndex: 0 })).toBe(true);
  rmSync(node.config.dataDirectory, { recursive: true });
  cpSync(whole, node.config.dataDirectory, { recursive: true });
  rmSync(folder('NODE'));
  await node.start();
  expect(existsSync(folder('NODE'))).toBe(true);
});

test('what could be opened is closed again where the rest can\u2019t be: another try finds the log free', async () => {
  for (const port of [node.config.peer.port, node.config.http.port, node.config.grpc.port]) {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(port, '127.0.0.1', resolve));
    for (let attempt = 0; attempt < 2; attempt++) {
      const fault: unknown = await node.start().catch((error: unknown) => error);
      expect(String(fault)).toMatch(/EADDRINUSE|address already in use|No address added/);
    }
    await new Promise((resolve) => taken.close(resolve));
  }
  await node.start();
  expect((await node.call('GET', 'sys/mounts')).status).toBe(200);
});
