import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ClusterFiles, type DevNodeFiles, openClusterFiles } from './cluster-files.ts';
import { anyBasePort } from './free-ports.ts';

// As an operator has it: three processes of `lockstep server`, sealed by shares, with the command line as the only tool. The tests
// go on from each other.
const checkout = fileURLToPath(new URL('../../../../', import.meta.url));
const program = join(checkout, 'packages', 'cli', 'src', 'main.ts');
const home = mkdtempSync(join(tmpdir(), 'lockstep-shamir-'));
/** Three cold starts and an election take seconds; on a machine that does ten other things, minutes. */
const readyWithinMs = 180_000;
/** A node ends after five seconds whatever is under way. */
const stopWithinMs = 30_000;
/** As `scripts/lockstep` has it: programs are compiled once, not at each of a hundred starts. */
const compiled = { NODE_COMPILE_CACHE: join(checkout, 'node_modules', '.cache', 'node') };
const servers = new Map<string, ChildProcess>();
let cluster: ClusterFiles;
let shares: readonly string[];
let rootToken: string;

beforeAll(async () => {
  cluster = await openClusterFiles({
    directory: join(home, 'cluster'),
    nodes: 3,
    basePort: anyBasePort(),
    plainHttp: false,
  });
  for (const { configFile } of cluster.nodes) {
    const { dev: _, ...config } = JSON.parse(readFileSync(configFile, 'utf8'));
    writeFileSync(configFile, JSON.stringify({ ...config, seal: { type: 'shamir' } }));
  }
  await startAll();
}, readyWithinMs);

afterAll(async () => {
  await stopAll();
  rmSync(home, { recursive: true, force: true });
}, readyWithinMs);

async function startAll(): Promise<void> {
  for (const node of cluster.nodes) {
    const log = openSync(node.logFile, 'a', 0o600);
    const stdio: StdioOptions = ['ignore', log, log];
    const env = { ...process.env, ...compiled };
    servers.set(node.name, spawn(process.execPath, [program, 'server', '--config', node.configFile], { stdio, env }));
    closeSync(log);
  }
  for (const node of cluster.nodes) {
    await until(async () => {
      const code = servers.get(node.name)?.exitCode;
      if (code !== null) throw new Error(`${node.name} ended with ${code}: ${readFileSync(node.logFile, 'utf8')}`);
      return (await at(node, 'status')).exit === 2;
    });
  }
}

/** Asks each to stop, and waits until it has; what does not is killed. */
async function stopAll(): Promise<readonly unknown[]> {
  const codes: unknown[] = [];
  for (const [name, child] of servers) {
    servers.delete(name);
    if (child.exitCode !== null) continue;
    const ended = once(child, 'exit', { signal: AbortSignal.timeout(stopWithinMs) });
    child.kill('SIGTERM');
    try {
      codes.push((await ended)[0]);
    } catch {
      child.kill('SIGKILL');
      codes.push('killed');
    }
  }
  return codes;
}

interface Ran {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

/** One command line against one node. Words are split at spaces. */
async function at(node: DevNodeFiles, line: string, stdin = ''): Promise<Ran> {
  const child = spawn(process.execPath, [program, ...line.split(' ')], {
    env: {
      PATH: process.env['PATH'],
      HOME: home,
      LOCKSTEP_ADDR: node.http,
      LOCKSTEP_CACERT: cluster.caFile,
      ...compiled,
    },
  });
  const [out, err] = [text(child.stdout), text(child.stderr)];
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  const [exit]: unknown[] = await once(child, 'close');
  return { exit: Number(exit), out: await out, err: await err };
}

async function must(node: DevNodeFiles, line: string, stdin = ''): Promise<string> {
  const { exit, out, err } = await at(node, line, stdin);
  if (exit !== 0) throw new Error(`${node.name}: lockstep ${line} ended with ${exit}: ${err}${out}`);
  return out;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + readyWithinMs;
  while (!(await isSo())) if (performance.now() > deadline) throw new Error(`not within ${readyWithinMs} ms`);
}

const nodeAt = (position: number): DevNodeFiles => cluster.nodes[position] ?? expect.unreachable();
const share = (position: number): string => shares[position] ?? expect.unreachable();

async function unseal(node: DevNodeFiles, which: readonly number[]): Promise<string> {
  let last = '';
  for (const position of which) last = await must(node, 'unseal -', `${share(position)}\n`);
  return last;
}

/** The position of the node that leads, as an unsealed one tells it. */
async function leaderBy(node: DevNodeFiles): Promise<number> {
  const { out } = await at(node, 'status');
  return cluster.nodes.findIndex(({ http }) => new RegExp(`^Active Node Address +${http}$`, 'm').test(out));
}

describe('a new cluster', () => {
  test(
    'is not initialized, and every command says so',
    async () => {
      const status = await at(nodeAt(0), 'status');
      expect(status).toMatchObject({ exit: 2, err: '' });
      expect(status.out).toMatch(/^Seal Type +shamir\nInitialized +false\nSealed +true$/m);
      expect(await at(nodeAt(1), 'init -status')).toMatchObject({ exit: 2, out: 'The cluster is not initialized\n' });
      expect(await at(nodeAt(2), 'unseal -', 'x')).toMatchObject({
        exit: 2,
        err: expect.stringContaining('lockstep init'),
      });
      const read = await at(nodeAt(0), 'kv get secret/a');
      expect(read).toMatchObject({ exit: 2, out: '', err: expect.stringContaining('Code: 503 (not-initialized)') });
    },
    readyWithinMs,
  );

  test(
    'is initialized once, with five shares of which three unseal',
    async () => {
      let made: Ran | undefined;
      // Through every node at once: one of them does it, the others are told.
      await until(async () => {
        const tries = await Promise.all(
          cluster.nodes.map((node) => at(node, 'init -key-shares=5 -key-threshold=3 -format=json')),
        );
        const [won, ...alsoWon] = tries.filter(({ exit }) => exit === 0);
        expect(alsoWon).toEqual([]);
        for (const { err } of tries.filter(({ exit }) => exit !== 0))
          expect(err).toMatch(won === undefined ? /\(no-leader\)/ : /\(no-leader\)|already initialized/);
        made = won;
        return won !== undefined;
      });
      const keys = JSON.parse(made?.out ?? '');
      expect(keys).toMatchObject({
        unseal_shares: 5,
        unseal_threshold: 3,
        root_token: expect.stringMatching(/^hvs\./),
      });
      shares = keys.unseal_keys_b64;
      rootToken = keys.root_token;
      expect(new Set(shares).size).toBe(5);
      for (const node of cluster.nodes) {
        await until(async () => (await at(node, 'init -status')).exit === 0);
        expect((await at(node, 'init')).exit).toBe(2);
        expect((await at(node, 'status')).out).toMatch(/^Sealed +true\n[^]*Unseal Progress +0\/3$/m);
      }
    },
    readyWithinMs,
  );
});

describe('unsealing', () => {
  test(
    'takes three different shares, refuses what is none, and forgets on request',
    async () => {
      const node = nodeAt(1);
      expect(await at(node, 'unseal -', 'nonsense')).toMatchObject({
        exit: 2,
        err: expect.stringContaining('unseal key must be'),
      });
      expect(await must(node, 'unseal -', share(0))).toMatch(/Unseal Progress +1\/3/);
      expect(await must(node, 'unseal -', share(0))).toMatch(/Unseal Progress +1\/3/);
      expect(await must(node, `unseal ${share(1)}`)).toMatch(/Unseal Progress +2\/3/);
      expect(await must(node, 'unseal -reset')).toMatch(/Unseal Progress +0\/3/);
      expect(await unseal(node, [4, 2, 0])).toMatch(/^Sealed +false$/m);
      expect(await at(node, 'status')).toMatchObject({ exit: 0 });
    },
    readyWithinMs,
  );

  test(
    'one node makes it lead, whichever led before: a sealed leader hands over, and the cluster serves',
    async () => {
      const node = nodeAt(1);
      expect(await must(node, 'login -', rootToken)).toMatch(/^token_policies +\[root\]$/m);
      await until(async () => (await at(node, 'secrets enable -path=secret kv')).exit === 0);
      expect(await leaderBy(node)).toBe(1);
      await must(node, 'kv put secret/first a=1');
      for (const position of [0, 2]) {
        const refused = await at(nodeAt(position), 'kv get secret/first');
        expect(refused).toMatchObject({ exit: 2, err: expect.stringContaining('Unseal the node: lockstep unseal.') });
        await unseal(nodeAt(position), [position, 3, 4]);
        expect(await must(nodeAt(position), 'kv get -field=a secret/first')).toBe('1');
      }
    },
    readyWithinMs,
  );
});

describe('secrets and certificates', () => {
  test(
    'a secret that one node took, another shows',
    async () => {
      await must(nodeAt(0), 'kv put secret/app/db user=app password=-', 'hunter2');
      expect(await must(nodeAt(2), 'kv get -field=password secret/app/db')).toBe('hunter2');
      const printed = JSON.parse(await must(nodeAt(1), 'kv get -format=json secret/app/db'));
      expect(printed.data).toMatchObject({ data: { user: 'app' }, metadata: { version: 1 } });
      expect(await must(nodeAt(1), 'kv list secret')).toBe('Keys\n----\napp/\nfirst\n');
      expect(await at(nodeAt(1), 'kv get secret/none')).toMatchObject({ exit: 2, out: '' });
      expect(await at(nodeAt(1), 'kv get')).toMatchObject({ exit: 1, out: '' });
    },
    readyWithinMs,
  );

  test(
    'an authority of ten years, and a certificate that it signed',
    async () => {
      await must(nodeAt(0), 'secrets enable -max-lease-ttl=87600h pki');
      await must(nodeAt(1), 'pki generate-root CA key_type=ec ttl=87600h');
      await must(nodeAt(2), 'pki role put web allowed_domains=example.com allow_subdomains=true max_ttl=72h');
      const issued = await at(nodeAt(0), 'pki issue -format=json web common_name=a.example.com ttl=100h');
      const { data, warnings } = JSON.parse(issued.out);
      const authority = new X509Certificate(await must(nodeAt(2), 'pki ca'));
      expect(new X509Certificate(data.certificate).verify(authority.publicKey)).toBe(true);
      expect(Date.parse(authority.validTo) - Date.now()).toBeGreaterThan(3_600_000 * 24 * 3649);
      expect(warnings).toEqual([expect.stringContaining('TTL "100h0m0s" is longer than permitted maxTTL "72h0m0s"')]);
      const refused = await at(nodeAt(1), 'pki issue web common_name=evil.com');
      expect(refused).toMatchObject({ exit: 2, err: expect.stringContaining('evil.com not allowed by this role') });
      const wrong = await at(nodeAt(1), 'pki issue web common_name=a.example.com ttl=long');
      expect(wrong.err).toContain('Code: 400 (invalid-input, field ttl)');
    },
    readyWithinMs,
  );

  test(
    'a token that may read one folder: kv commands work with it, and no more',
    async () => {
      await must(nodeAt(0), 'policy write reader -', 'path "secret/data/app/*" { capabilities = ["read"] }');
      const token = await must(nodeAt(0), 'token create -policy=reader -ttl=1h -field=token');
      await must(nodeAt(2), 'login -no-print -', token);
      expect(await must(nodeAt(2), 'kv get -field=user secret/app/db')).toBe('app');
      expect(await at(nodeAt(2), 'kv put secret/app/db user=me')).toMatchObject({ exit: 2, out: '' });
      expect(await at(nodeAt(2), 'seal')).toMatchObject({ exit: 2, out: '' });
      await must(nodeAt(0), 'login -no-print -', rootToken);
    },
    readyWithinMs,
  );
});

describe('sealing', () => {
  test(
    'the leader: the others go on, and it serves again once it is unsealed',
    async () => {
      const leader = await leaderBy(nodeAt(0));
      const other = nodeAt((leader + 1) % 3);
      expect(await must(nodeAt(leader), 'seal')).toBe('Success! The node is sealed.\n');
      expect(await at(nodeAt(leader), 'status')).toMatchObject({ exit: 2 });
      const refused = await at(nodeAt(leader), 'kv get secret/app/db');
      expect(refused).toMatchObject({ exit: 2, err: expect.stringContaining('Code: 503 (sealed)') });
      await until(async () => (await at(other, 'kv put secret/meanwhile b=2')).exit === 0);
      expect(await leaderBy(other)).not.toBe(leader);
      await unseal(nodeAt(leader), [1, 2, 3]);
      expect(await must(nodeAt(leader), 'kv get -field=b secret/meanwhile')).toBe('2');
    },
    readyWithinMs,
  );

  test(
    'an audit file that was moved is opened anew on SIGHUP',
    async () => {
      const node = nodeAt(0);
      renameSync(node.auditFile, `${node.auditFile}.1`);
      servers.get(node.name)?.kill('SIGHUP');
      await until(async () => {
        await must(node, 'kv get secret/first');
        return isThere(node.auditFile);
      });
      await must(node, 'kv get secret/first');
      expect(readFileSync(node.auditFile, 'utf8')).toContain('"path":"secret/data/first"');
    },
    readyWithinMs,
  );

  test(
    'all of it, by a restart: what was acknowledged is there when the shares have been given',
    async () => {
      expect(await stopAll()).toEqual([0, 0, 0]);
      await startAll();
      for (const node of cluster.nodes) await unseal(node, [0, 2, 4]);
      for (const node of cluster.nodes) {
        await until(async () => (await at(node, 'kv get -field=password secret/app/db')).out === 'hunter2');
        expect(await must(node, 'pki list')).toMatch(/^Keys\n----\n[0-9a-f:]{59}\n/);
      }
    },
    2 * readyWithinMs,
  );
});

function isThere(file: string): boolean {
  try {
    return readFileSync(file, 'utf8').length > 0;
  } catch {
    return false;
  }
}
