import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { readStart } from '@lockstep/server/config';
import { type KeptNode, KeptNodes } from '@lockstep/server/members/kept-nodes.fixture';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { commandsOf } from './page-commands.ts';
import { pageMachines } from './page-machines.ts';
import { root } from './source-tree.ts';

// docs/membership.md, command for command: four machines, of which one founds a cluster, and leaves it in the end.
const cluster = new KeptNodes();
const withinMs = 300_000;
const page = readFileSync(join(root, 'docs', 'membership.md'), 'utf8');

beforeAll(async () => {
  for (const name of ['node-1', 'node-2', 'node-3', 'node-4']) {
    const node = await cluster.make(name);
    if (name === 'node-2' || name === 'node-4') node.configure({ join_token_file: 'join-token' });
  }
});
afterAll(() => cluster.close(), withinMs);

const named = (name: string): KeptNode =>
  cluster.nodes.find((node) => node.name === name) ?? expect.unreachable(`there is no ${name}`);

const standIns = `
lockstep() { node "$LOCKSTEP_PROGRAM" "$@"; }
systemctl() { curl -sSf "$MACHINES/$1/node-1"; }
scp() { cp "$1" "$NODES/\${2%%.*}/join-token"; }
ssh() {
  case "$2" in
    rm) rm -r "$NODES/\${1%%.*}/data" ;;
    *) curl -sSf "$MACHINES/$3/\${1%%.*}" ;;
  esac
}
`;

test('the page’s configuration is one', () => {
  const [, json = ''] = /^```json\n(.*?)^```$/ms.exec(page) ?? [];
  const file = join(cluster.directory, 'page.json');
  writeFileSync(file, json);
  const start = readStart(file);
  expect(start).toMatchObject({ kind: 'kept', config: { advertised: { peer: 'node-1.example.com:8201' } } });
});

test('every command of docs/membership.md does what the page says', { timeout: withinMs }, async () => {
  const first = named('node-1');
  let script = commandsOf(page)
    .replaceAll('/etc/lockstep/node.json', first.configFile)
    .replaceAll('/var/lib/lockstep', join(first.folder, 'data'));
  for (const { name, address } of cluster.nodes)
    script = script.replaceAll(`https://${name}.example.com:8200`, address);
  const control = await pageMachines(named);
  const env = {
    PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    HOME: cluster.directory,
    LOCKSTEP_PROGRAM: join(root, 'packages', 'cli', 'src', 'main.ts'),
    MACHINES: control.address,
    NODES: cluster.directory,
  };
  const timeout = withinMs - 20_000;
  const ran = promisify(execFile)('bash', ['-c', `${standIns}${script}`], { cwd: cluster.directory, env, timeout });
  const { stdout } = await ran
    .catch((error: unknown) => {
      // The token is the test's own.
      const logs = cluster.nodes.map(({ logged }) => logged.slice(-2_000)).join('\n\n');
      throw new Error(`the page's commands failed: ${JSON.stringify(error, undefined, 2)}\n${logs}`);
    })
    .finally(control.close);
  expect(stdout).toContain('Nothing was made: this is what would be, under other ids.');
  expect(stdout).toContain('It would be done. Nothing was.');
  // By the page's word, or by autopilot before it.
  expect(stdout).toMatch(/node-2 +voter/);
  expect(stdout).toContain('Success! node-3 is a learner.');
  expect(stdout).toContain('Success! The node has left: it can be stopped.');
  expect(stdout).toContain('Success! node-3 is no member any more.');
  expect(stdout).toMatch(/node-2, rack 2\n/);
  expect(stdout).toMatch(/The cluster is (not )?healthy: \d healthy voters may be lost\./);
  expect(stdout).toMatch(/dead_server_last_contact_threshold +12h0m0s/);
  expect(stdout).toMatch(/"failure_tolerance": \d/);
  const { root_token: token }: { readonly root_token: string } = JSON.parse(
    readFileSync(join(cluster.directory, 'init.json'), 'utf8'),
  );
  cluster.rootToken = token;
  expect(await named('node-3').membersSeen()).toEqual(['node-2 voter', 'node-3 voter', 'node-4 voter']);
  expect((await named('node-4').data('GET', 'sys/cluster/members'))['removed']).toHaveLength(2);
});
