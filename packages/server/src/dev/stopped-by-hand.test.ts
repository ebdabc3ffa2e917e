import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

// `lockstep dev` in the foreground, and Ctrl-C.
const checkout = fileURLToPath(new URL('../../../../', import.meta.url));
const program = join(checkout, 'packages', 'cli', 'src', 'main.ts');
const home = mkdtempSync(join(tmpdir(), 'lockstep-stopped-'));
const readyWithinMs = 120_000;
const askEveryMs = 50;

afterAll(() => rmSync(home, { recursive: true, force: true }));

interface Running {
  readonly child: ReturnType<typeof spawn>;
  readonly nodePid: number;
  readonly ended: Promise<unknown[]>;
}

async function running(name: string, basePort: number): Promise<Running> {
  const json = join(home, `${name}.json`);
  const options = ['--nodes', '1', '--plain-http', '--base-port', String(basePort), '--json', json];
  const child = spawn(process.execPath, [program, 'dev', ...options], {
    stdio: 'ignore',
    env: { ...process.env, TMPDIR: home, NODE_COMPILE_CACHE: join(checkout, 'node_modules', '.cache', 'node') },
  });
  const ended = once(child, 'exit');
  await until(() => existsSync(json) && readFileSync(json, 'utf8').endsWith('}\n'));
  const { nodes }: { nodes: readonly { readonly pid: number }[] } = JSON.parse(readFileSync(json, 'utf8'));
  return { child, nodePid: nodes[0]?.pid ?? 0, ended };
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = performance.now() + readyWithinMs;
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`not within ${readyWithinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, askEveryMs));
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const dataFolders = (): readonly string[] => readdirSync(home).filter((name) => name.startsWith('lockstep-dev-'));

test(
  'once: the nodes end, the temporary folder goes, and that is success',
  async () => {
    const { child, nodePid, ended } = await running('once', 23_100);
    expect(dataFolders()).toHaveLength(1);
    child.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    expect([isAlive(nodePid), dataFolders()]).toEqual([false, []]);
  },
  readyWithinMs,
);

test(
  'again and again, by one who does not want to wait for a node that hangs: the folder goes all the same',
  async () => {
    const { child, nodePid, ended } = await running('twice', 23_120);
    process.kill(nodePid, 'SIGSTOP');
    // The first ones are one press, as a terminal and a shell pass it on; then it is another.
    const pressing = setInterval(() => child.kill('SIGINT'), askEveryMs);
    expect(await ended).toEqual([130, null]);
    clearInterval(pressing);
    expect(dataFolders()).toEqual([]);
    // The node finds its starter gone as soon as it moves, and ends too.
    process.kill(nodePid, 'SIGCONT');
    await until(() => !isAlive(nodePid));
  },
  readyWithinMs,
);
