import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { readConfig } from '@lockstep/server/config';
import { type AdminAnswer, adminCall } from '@lockstep/server/dev/admin-call';
import { type ClusterFiles, openClusterFiles } from '@lockstep/server/dev/cluster-files';
import { openLog } from '@lockstep/server/log';
import { type OpenNode, openNode } from '@lockstep/server/open-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandsOf } from './page-commands.ts';
import { root } from './source-tree.ts';

// docs/disk.md, command for command: one node whose disk is almost full until its ballast is deleted.
const MiB = 1024 * 1024;
const directory = mkdtempSync(join(tmpdir(), 'lockstep-docs-'));
const readyWithinMs = 60_000;
const askEveryMs = 20;
let files: ClusterFiles;
let node: OpenNode;
let data: string;
let rootToken: string;

async function call(method: string, path: string, body?: { readonly [name: string]: unknown }): Promise<AdminAnswer> {
  const token = rootToken === undefined ? {} : { token: rootToken };
  const address = files.nodes[0]?.http ?? '';
  return await adminCall({ address, caFile: files.caFile, method, path, ...token, ...(body && { body }) });
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + readyWithinMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error('it did not come true');
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
  }
}

beforeAll(async () => {
  files = await openClusterFiles({ directory, nodes: 1, basePort: 23_140, plainHttp: false });
  const config = readConfig(files.nodes[0]?.configFile ?? '');
  data = config.dataDirectory;
  const log = openLog({ node: 'node-1', wallMs: () => Date.now(), write: () => undefined });
  const fails = (error: unknown): never => {
    throw error;
  };
  const freeBytes = (): Promise<number> => Promise.resolve(existsSync(join(data, 'ballast')) ? 180 * MiB : 700 * MiB);
  node = await openNode(config, log, fails, { freeBytes });
  await until(async () => (await call('GET', 'sys/leader')).body['is_self'] === true);
  rootToken = String((await call('PUT', 'sys/init', {})).body['root_token']);
  await until(async () => (await call('GET', 'sys/mounts')).status === 200);
  await call('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
  writeFileSync(join(data, 'ballast'), 'nothing');
  await until(async () => (await call('GET', 'sys/health')).body['disk'] === 'full');
}, readyWithinMs);

afterAll(async () => {
  await node?.close();
  rmSync(directory, { recursive: true, force: true });
}, readyWithinMs);

test(
  'every command of docs/disk.md does what the page says',
  async () => {
    const script = commandsOf(readFileSync(join(root, 'docs', 'disk.md'), 'utf8'))
      .replaceAll('https://node-1.example.com:8200', files.nodes[0]?.http ?? '')
      .replaceAll('/var/lib/lockstep', data);
    // By a variable: the checkout's path may hold anything.
    const command = 'lockstep() { node "$COMMAND_LINE" "$@"; }';
    const env = {
      PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
      HOME: directory,
      COMMAND_LINE: join(root, 'packages', 'cli', 'src', 'main.ts'),
      LOCKSTEP_CACERT: files.caFile,
      LOCKSTEP_TOKEN: rootToken,
    };
    const ran = promisify(execFile)('bash', ['-c', `${command}\n${script}`], { cwd: directory, env });
    const { stdout, stderr } = await ran.catch((error: unknown) => {
      // The token is the test's own.
      throw new Error(`the page's commands failed: ${JSON.stringify(error, undefined, 2)}`);
    });
    expect(stdout).toMatch(/"disk":"full","quarantined":false/);
    expect(stdout).toContain('"state":"sound"');
    expect(stdout).toContain('lockstep_disk_level 2');
    expect(stdout).toContain('lockstep_state_damaged 0');
    // Refused once or more, and then not any more.
    if (stderr !== '') expect(stderr).toMatch(/507 \(disk-full\)/);
    const answer = await call('GET', 'secret/data/app/db');
    expect(answer.body['data']).toMatchObject({ data: { password: 'second' } });
  },
  readyWithinMs,
);
