// What `npm run record [-- NAME]` does: records a log and a snapshot as this version writes them, for later versions to replay.
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { record } from '@lockstep/server/recorded/record.fixture';
import { recordingsFolder } from '@lockstep/server/recorded/recording.fixture';
import { root } from './source-tree.ts';

process.exitCode = await main(process.argv[2]);

async function main(given: string | undefined): Promise<number> {
  mkdirSync(recordingsFolder, { recursive: true });
  const name = given ?? `v${readdirSync(recordingsFolder).length + 1}`;
  const folder = join(recordingsFolder, name);
  if (!/^v\d{1,4}$/.test(name)) return refuse(`a recording is called v and a number, not ${name}`);
  if (existsSync(folder))
    return refuse(`${relative(root, folder)} is there already: what was recorded is never changed`);
  await record(folder, name);
  console.log(`recorded ${relative(root, folder)}: commit it`);
  return 0;
}

function refuse(why: string): number {
  console.error(`record: ${why}`);
  return 1;
}
