import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root } from './source-tree.ts';

// What a newcomer does: `npm start` with the data in a folder of any name, then the printed commands as they are.
const home = mkdtempSync(join(tmpdir(), "a newcomer's $HOME "));
const directory = join(home, 'my data');
const startWithinMs = 90_000;

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
}

function startDev(): Started {
  const options = ['--nodes', '3', '--dir', directory, '--base-port', '24300', '--json', join(home, 'run.json')];
  const child = spawn(process.execPath, ['scripts/run.mjs', 'packages/cli/src/main.ts', 'dev', ...options], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return { child, output: () => output };
}

async function untilReady({ child, output }: Started): Promise<void> {
  while (!output().includes('Ctrl-C stops it all')) {
    if (child.exitCode !== null) throw new Error(output());
    await Promise.race([once(child, 'exit'), child.stdout === null ? undefined : once(child.stdout, 'data')]);
  }
}

async function end({ child }: Started): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGINT');
    await once(child, 'exit');
  }
  return child.exitCode;
}

/** As the shell of whoever copies it. */
async function sh(command: string): Promise<{ readonly status: number | null; readonly output: string }> {
  const child = spawn('sh', ['-c', command], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await once(child, 'close');
  return { status: child.exitCode, output };
}

let started: Started;
beforeAll(async () => {
  started = startDev();
  await untilReady(started);
}, startWithinMs);
afterAll(async () => {
  await end(started);
  rmSync(home, { recursive: true });
}, startWithinMs);

const printed = (): readonly string[] =>
  (started.output().split('Try, in this checkout:')[1] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('  '))
    .map((line) => line.trim());

describe('npm start', { timeout: startWithinMs }, () => {
  test('refuses a folder that another cluster runs in', async () => {
    const second = startDev();
    await once(second.child, 'exit');
    expect(second.output()).toContain(`${directory} is in use by process`);
    expect(second.child.exitCode).toBe(1);
  });

  test('prints three commands that work as they are: curl, lockstep and gRPC', async (context) => {
    const [curl, lockstep, grpc, ...others] = printed();
    expect([curl?.split(' ')[0], others]).toEqual(['curl', []]);
    if ((await sh('command -v curl')).status !== 0) context.skip('curl is not installed');
    const written = await sh(`${curl} --silent --show-error`);
    expect(JSON.parse(written.output)).toMatchObject({ data: { version: 1 } });
    expect(await sh(lockstep ?? '')).toEqual({ status: 0, output: expect.stringContaining('hello    world') });
    const read = await sh(grpc ?? '');
    expect(JSON.parse(read.output)).toMatchObject({ data: { hello: 'world' } });
  });

  test('starts the same cluster again after Ctrl-C, which leaves no process behind', async () => {
    const { nodes }: { readonly nodes: readonly { readonly pid: number }[] } = JSON.parse(
      readFileSync(join(home, 'run.json'), 'utf8'),
    );
    expect(await end(started)).toBe(0);
    for (const { pid } of nodes) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    started = startDev();
    await untilReady(started);
    const [, lockstep] = printed();
    expect(await sh(lockstep ?? '')).toEqual({ status: 0, output: expect.stringContaining('hello    world') });
  });
});
