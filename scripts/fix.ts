// What `npm run fix` does: formats, applies lint's own corrections, and takes additions to the protos into their lock.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { brokenPromises, describeProtos, loadProtos, lockFile, protoFiles, readLock, writeLock } from './proto-lock.ts';
import { root } from './source-tree.ts';

process.exitCode = main();

function main(): number {
  const linted = run('oxlint', ['--type-aware', '-c', 'oxlint.json', '--fix']);
  const formatted = run('biome', ['format', '--write']);
  return extendProtoLock() && linted && formatted ? 0 : 1;
}

function run(tool: string, args: readonly string[]): boolean {
  return spawnSync(join(root, 'node_modules', '.bin', tool), args, { cwd: root, stdio: 'inherit' }).status === 0;
}

function extendProtoLock(): boolean {
  const now = describeProtos(loadProtos(protoFiles()));
  const lock = existsSync(lockFile) ? readLock() : {};
  const broken = brokenPromises(lock, now);
  if (broken.length > 0) {
    const list = broken.map((line) => `\n  ${line}`).join('');
    console.error(`protos: fields, values and methods are only added, never changed or taken away:${list}`);
    return false;
  }
  if (JSON.stringify(lock) !== JSON.stringify(now)) {
    writeLock(now);
    console.log(`protos: wrote ${relative(root, lockFile)}`);
  }
  return true;
}
