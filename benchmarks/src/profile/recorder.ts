// Loaded into a node's process by --import, as recorder.ts?folder=FOLDER: the first SIGUSR2 starts a profile of its processor
// time and writes FOLDER/PID.started, the second ends it and writes FOLDER/PID.cpuprofile.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProfile } from './start-profile.ts';

const folder = new URL(import.meta.url).searchParams.get('folder');
if (folder !== null) recordInto(join(folder, String(process.pid)));

function recordInto(stem: string): void {
  process.once('SIGUSR2', () => {
    const stop = startProfile();
    process.once('SIGUSR2', () => {
      // By renaming: who waits for the file finds a whole one.
      writeFileSync(`${stem}.new`, JSON.stringify(stop()));
      renameSync(`${stem}.new`, `${stem}.cpuprofile`);
    });
    writeFileSync(`${stem}.started`, '');
  });
}
