import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { run } from '../program.ts';

const folder = mkdtempSync(join(tmpdir(), 'lockstep-cli-recover-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function recover(...args: readonly string[]): Promise<readonly [number, string]> {
  let err = '';
  const code = await run(['cluster', 'recover', ...args], {
    print: () => expect.unreachable(),
    printError: (text) => (err += text),
    readStdin: async () => '',
    askHidden: undefined,
    environment: {},
    homeDirectory: folder,
  });
  return [code, err];
}

test.each<readonly [string, readonly string[], RegExp]>([
  ['no disk', [], /one of --config and --dir must be given/],
  ['two disks', ['--config', 'a.json', '--dir', 'b'], /one of --config and --dir must be given/],
  ['a configuration that is not there', ['--config', join(folder, 'none.json'), '-dry-run'], /none\.json/],
  [
    'a directory that no node used',
    ['--dir', folder, '-yes-lose-unreplicated-writes'],
    /is not the data directory of a/,
  ],
])('recovering %s is refused, with 1', async (_, args, why) => {
  expect(await recover(...args)).toEqual([1, expect.stringMatching(why)]);
});
