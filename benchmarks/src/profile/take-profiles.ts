import { existsSync, readFileSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { join } from 'node:path';
import { startProfile } from './start-profile.ts';

/** A processor's profile of 20 s is a few megabytes of JSON; a busy node writes it within a second. */
const writtenWithinMs = 30_000;
const lookEveryMs = 20;

/** What a node is started with, so that it can be profiled into `folder`. */
export function recorderArguments(folder: string): readonly string[] {
  const recorder = new URL('./recorder.ts', import.meta.url);
  recorder.searchParams.set('folder', folder);
  return ['--import', recorder.href];
}

export interface TakenProfiles {
  readonly own: Profiler.Profile;
  /** In the order of `pids`. */
  readonly nodes: readonly Profiler.Profile[];
}

/** Profiles this process and those with these ids, which were started with `recorderArguments(folder)`, until the returned function is called. */
export async function startProfiles(folder: string, pids: readonly number[]): Promise<() => Promise<TakenProfiles>> {
  for (const pid of pids) process.kill(pid, 'SIGUSR2');
  // Two signals that come close together may be taken for one.
  await Promise.all(pids.map((pid) => whenWritten(join(folder, `${pid}.started`))));
  const stop = startProfile();
  return async () => {
    for (const pid of pids) process.kill(pid, 'SIGUSR2');
    const own = stop();
    return { own, nodes: await Promise.all(pids.map((pid) => readProfile(join(folder, `${pid}.cpuprofile`)))) };
  };
}

async function readProfile(file: string): Promise<Profiler.Profile> {
  await whenWritten(file);
  const profile: Profiler.Profile = JSON.parse(readFileSync(file, 'utf8'));
  return profile;
}

async function whenWritten(file: string): Promise<void> {
  const deadline = performance.now() + writtenWithinMs;
  while (!existsSync(file)) {
    if (performance.now() > deadline) throw new Error(`not there after ${writtenWithinMs / 1000} s: ${file}`);
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}
