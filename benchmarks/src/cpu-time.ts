import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts processor time in hundredths of a second towards programs, whatever the kernel's own tick. */
const ticksPerSecond = 100;

/** Seconds of processor time (user and system, all threads) that a process has used so far; undefined where the system doesn't tell. */
export function cpuSeconds(pid: number): number | undefined {
  return secondsOf(`/proc/${pid}/stat`);
}

/** The thread that takes V8's samples, which is there only while somebody profiles. */
const profilersOwn = 'v8:ProfEvntProc';

/** Seconds of processor time by kind of thread, the profiler's own left out, as the system names them; the one that runs JavaScript is `main`. */
export function threadSeconds(pid: number): ReadonlyMap<string, number> {
  const seconds = new Map<string, number>();
  for (const thread of entriesOf(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${thread}`;
    const spent = secondsOf(`${folder}/stat`);
    // A thread that has ended meanwhile.
    if (spent === undefined) continue;
    const kind = thread === String(pid) ? 'main' : readFileSync(`${folder}/comm`, 'utf8').trim();
    if (kind === profilersOwn) continue;
    seconds.set(kind, (seconds.get(kind) ?? 0) + spent);
  }
  return seconds;
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function secondsOf(file: string): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  // The second field, the program's name, may hold spaces; what follows its closing parenthesis is numbers (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
