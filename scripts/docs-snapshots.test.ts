import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { readConfig } from '@lockstep/server/config';
import { adminCall } from '@lockstep/server/dev/admin-call';
import { type ClusterFiles, openClusterFiles } from '@lockstep/server/dev/cluster-files';
import { openLog } from '@lockstep/server/log';
import { type OpenNode, openNode } from '@lockstep/server/open-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandsOf } from './page-commands.ts';
import { root } from './source-tree.ts';

// docs/snapshots.md, command for command: two clusters of one node each, sealed by shares, with the command line as the only tool.
const directory = mkdtempSync(join(tmpdir(), 'lockstep-docs-'));
const readyWithinMs = 60_000;
const askEveryMs = 20;
const nodes: OpenNode[] = [];
let old: ClusterFiles;
let fresh: ClusterFiles;
let rootToken: string;

async function start(name: string, basePort: number): Promise<ClusterFiles> {
  const files = await openClusterFiles({ directory: join(directory, name), nodes: 1, basePort, plainHttp: false });
  const log = openLog({ node: name, wallMs: () => Date.now(), write: () => undefined });
  const fails = (error: unknown): never => {
    throw error;
  };
  const config = readConfig(files.nodes[0]?.configFile ?? '');
  nodes.push(await openNode({ ...config, seal: { type: 'shamir' } }, log, fails));
  const deadline = performance.now() + readyWithinMs;
  while ((await call(files, 'GET', 'sys/leader'))['is_self'] !== true) {
    if (performance.now() > deadline) throw new Error(`${name} has no leader`);
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
  }
  return files;
}

async function call(
  files: ClusterFiles,
  method: string,
  path: string,
  body?: { readonly [name: string]: unknown },
): Promise<{ readonly [name: string]: unknown }> {
  const address = files.nodes[0]?.http ?? '';
  const token = rootToken === undefined ? {} : { token: rootToken };
  const answer = await adminCall({ address, caFile: files.caFile, method, path, ...token, ...(body && { body }) });
  if (answer.status > 204) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return answer.body;
}

beforeAll(async () => {
  old = await start('old', 23_100);
  fresh = await start('fresh', 23_120);
  const { keys, root_token } = await call(old, 'PUT', 'sys/init', { secret_shares: 3, secret_threshold: 2 });
  rootToken = String(root_token);
  const [first, , third] = keys as readonly string[];
  for (const [name, share] of [
    ['share-1-of-the-old-cluster', first],
    ['share-2-of-the-old-cluster', third],
  ] as const) {
    writeFileSync(join(directory, name), `${share}\n`);
    await call(old, 'PUT', 'sys/unseal', { key: share });
  }
  await call(old, 'POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
}, readyWithinMs);

afterAll(async () => {
  for (const node of nodes) await node.close();
  rmSync(directory, { recursive: true, force: true });
}, readyWithinMs);

test(
  'every command of docs/snapshots.md does what the page says',
  async () => {
    const authorities = join(directory, 'authorities.pem');
    writeFileSync(authorities, `${readFileSync(old.caFile, 'utf8')}\n${readFileSync(fresh.caFile, 'utf8')}`);
    const script = commandsOf(readFileSync(join(root, 'docs', 'snapshots.md'), 'utf8'))
      .replaceAll('https://old.example.com:8200', old.nodes[0]?.http ?? '')
      .replaceAll('https://new.example.com:8200', fresh.nodes[0]?.http ?? '');
    // By a variable: the checkout's path may hold anything.
    const command = 'lockstep() { node "$COMMAND_LINE" "$@"; }';
    const env = {
      PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
      HOME: directory,
      COMMAND_LINE: join(root, 'packages', 'cli', 'src', 'main.ts'),
      LOCKSTEP_CACERT: authorities,
      LOCKSTEP_TOKEN: rootToken,
      TOKEN_OF_THE_OLD_CLUSTER: rootToken,
    };
    const ran = promisify(execFile)('bash', ['-c', `${command}\n${script}`], { cwd: directory, env });
    const { stdout } = await ran.catch((error: unknown) => {
      // The token is the test's own.
      throw new Error(`the page's commands failed: ${JSON.stringify(error, undefined, 2)}`);
    });
    expect(stdout).toContain('all hold');
    expect(stdout).toMatch(/sealed\s+true/);
    expect(stdout).toContain('Every node is sealed now.');
  },
  readyWithinMs,
);
