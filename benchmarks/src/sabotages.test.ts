import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const folder = fileURLToPath(new URL('.', import.meta.url));
const sabotages = globSync('*/*.mjs', { cwd: folder });

/** All that a node is made of, loaded as `node --import SABOTAGE` would. */
const loadNode = "await import('@lockstep/server/open-node')";

test('there are builds that lie', () => {
  expect(sabotages).toContain('demo/sabotage.mjs');
});

const load = (of: readonly string[]): { readonly status: number | null; readonly stderr: string } =>
  spawnSync(process.execPath, [...of, '--input-type=module', '--eval', loadNode], { cwd: folder, encoding: 'utf8' });

/** Loading takes half a second; on a machine with much else to do, many times that. */
const loadWithinMs = 60_000;

test('one whose module is not loaded says so', { timeout: loadWithinMs }, () => {
  const patch =
    "import { patchSources } from './patch-sources.ts'; patchSources([{ module: '/nowhere.ts', from: 'a', to: 'b' }]);";
  const { status, stderr } = load([
    '--import',
    `data:text/javascript,${encodeURIComponent(patch.replace('./', `${import.meta.url}/../`))}`,
  ]);
  expect(stderr).toContain('not loaded, so not changed: /nowhere.ts');
  expect(status).toBe(1);
});

// A patch that no longer fits stops the node, and the harness would fail for that reason instead of for the lie.
test.each(sabotages)('%s still fits the sources that it changes', { timeout: loadWithinMs }, (file) => {
  const { status, stderr } = load(['--import', `./${file}`]);
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
