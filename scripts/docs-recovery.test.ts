import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { foundCluster } from '@lockstep/server/members/found-cluster';
import { type KeptNode, KeptNodes } from '@lockstep/server/members/kept-nodes.fixture';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandsOf } from './page-commands.ts';
import { pageMachines } from './page-machines.ts';
import { root } from './source-tree.ts';

// docs/recovery.md, command for command: of three nodes two are killed and their folders deleted.
const cluster = new KeptNodes();
const withinMs = 240_000;
let survivor: KeptNode;
let newcomer: KeptNode;

async function joinBy(node: KeptNode, by: KeptNode): Promise<void> {
  const { token } = await by.data('POST', 'sys/cluster/invite', { note: node.name });
  writeFileSync(join(node.folder, 'join-token'), String(token));
  node.configure({ join_token_file: 'join-token' });
  node.process.start();
  await node.untilServing();
  await by.until(`${node.name} votes`, async () => {
    if ((await rolesSeenBy(by)).includes(`${node.name} voter`)) return true;
    await by.call('POST', 'sys/cluster/promote', { node: node.name });
    return false;
  });
}

async function rolesSeenBy(node: KeptNode): Promise<readonly string[]> {
  const { members } = await node.data('GET', 'sys/cluster/members');
  const all: readonly { readonly name: string; readonly role: string }[] = Array.isArray(members) ? members : [];
  return all.map(({ name, role }) => `${name} ${role}`);
}

beforeAll(async () => {
  survivor = await cluster.make('node-1');
  await foundCluster(survivor.configFile, { nowMs: Date.now(), isDryRun: false });
  survivor.process.start();
  await survivor.until('it leads', async () => (await survivor.call('GET', 'sys/leader')).body['is_self'] === true);
  cluster.rootToken = String((await survivor.data('PUT', 'sys/init', {}))['root_token']);
  await survivor.untilServing();
  await survivor.data('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
  const lost = [await cluster.make('node-2'), await cluster.make('node-3')];
  for (const node of lost) await joinBy(node, survivor);
  await survivor.data('POST', 'secret/data/app/db', { data: { password: 'kept' } });
  for (const node of lost) {
    await node.process.kill();
    rmSync(node.folder, { recursive: true });
  }
  newcomer = await cluster.make('node-4');
  newcomer.configure({ join_token_file: 'join-token' });
}, withinMs);

afterAll(() => cluster.close(), withinMs);

const standIns = `
lockstep() { node "$LOCKSTEP_PROGRAM" "$@"; }
systemctl() { curl -sSf "$MACHINES/$1/survivor"; }
scp() { cp "$1" "$NEWCOMER/join-token"; }
ssh() { curl -sSf "$MACHINES/$3/newcomer"; }
`;

test('every command of docs/recovery.md does what the page says', { timeout: withinMs }, async () => {
  const script = commandsOf(readFileSync(join(root, 'docs', 'recovery.md'), 'utf8'))
    .replaceAll('/etc/lockstep/node.json', survivor.configFile)
    .replaceAll('https://node-1.example.com:8200', survivor.address);
  const control = await pageMachines((name) => (name === 'newcomer' ? newcomer : survivor));
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    HOME: cluster.directory,
    LOCKSTEP_PROGRAM: join(root, 'packages', 'cli', 'src', 'main.ts'),
    LOCKSTEP_CACERT: survivor.caFile,
    LOCKSTEP_TOKEN: cluster.rootToken,
    MACHINES: control.address,
    NEWCOMER: newcomer.folder,
  };
  await survivor.process.stop();
  const bare = ['cluster', 'recover', '--config', survivor.configFile];
  await expect(promisify(execFile)('node', [env.LOCKSTEP_PROGRAM, ...bare], { env })).rejects.toMatchObject({
    code: 1,
    stdout: expect.stringContaining('Nothing was changed.'),
    stderr: expect.stringContaining('nothing was changed: it needs --yes-lose-unreplicated-writes'),
  });
  const ran = promisify(execFile)('bash', ['-c', `${standIns}${script}`], { cwd: cluster.directory, env });
  const { stdout } = await ran
    .catch((error: unknown) => {
      // The token is the test's own.
      throw new Error(`the page's commands failed: ${JSON.stringify(error, undefined, 2)}\n${survivor.logged}`);
    })
    .finally(control.close);
  expect(stdout).toMatch(/epoch +0, then 1\n/);
  expect(stdout).toMatch(/node-1 +voter +127\.0\.0\.1:\d+ +the only member\n/);
  expect(stdout.match(/node-[23] +voter +127\.0\.0\.1:\d+ +left behind for good\n/g)).toHaveLength(4);
  expect(stdout).toContain('Nothing was changed.');
  expect(stdout).toMatch(/Done\. Start the node/);
  expect(stdout).toMatch(/password +kept\n/);
  expect(stdout).toContain('1 voters, 1 are a quorum');
  expect(stdout).toContain(`"command": "lockstep cluster recover --config ${survivor.configFile}"`);
  await newcomer.untilServing();
  expect((await newcomer.data('GET', 'secret/data/app/db'))['data']).toEqual({ password: 'kept' });
  expect((await rolesSeenBy(survivor)).map((role) => role.split(' ')[0])).toEqual(
    expect.arrayContaining(['node-1', 'node-4']),
  );
});
