// Loaded into a node's process by --import, as recorder.ts?folder=FOLDER: the first SIGUSR2 starts a profile of its processor
// time, the second ends it and writes FOLDER/PID.cpuprofile.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startProfile, type StopProfile } from './start-profile.ts';

const folder = new URL(import.meta.url).searchParams.get('folder') ?? '.';
const file = join(folder, `${process.pid}.cpuprofile`);
let stop: StopProfile | undefined;
process.on('SIGUSR2', () => {
  if (stop === undefined) {
    stop = startProfile();
    return;
  }
  const profile = stop();
  stop = undefined;
  // By renaming: who waits for the file finds a whole one.
  writeFileSync(`${file}.new`, JSON.stringify(profile));
  renameSync(`${file}.new`, file);
});
