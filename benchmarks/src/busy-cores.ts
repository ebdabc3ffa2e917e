import { readFileSync } from 'node:fs';
import { cpuSeconds } from './cpu-time.ts';

/** Linux counts in hundredths of a second towards programs. */
const ticksPerSecond = 100;

/** How many cores programs other than `pids` kept busy between two readings: what makes a rate on a shared machine worth less. */
export class OtherLoad {
  readonly #pids: readonly number[];
  #busySeconds: number;
  #ownSeconds: number;
  #atMs: number;

  constructor(pids: readonly number[]) {
    this.#pids = pids;
    this.#busySeconds = busySeconds();
    this.#ownSeconds = this.#own();
    this.#atMs = performance.now();
  }

  /** Since the last reading, or since it was made. */
  read(): number {
    const busy = busySeconds();
    const own = this.#own();
    const nowMs = performance.now();
    const others = busy - this.#busySeconds - (own - this.#ownSeconds);
    const cores = (others * 1000) / Math.max(1, nowMs - this.#atMs);
    this.#busySeconds = busy;
    this.#ownSeconds = own;
    this.#atMs = nowMs;
    return Math.max(0, Math.round(cores * 100) / 100);
  }

  #own(): number {
    return this.#pids.reduce((sum, pid) => sum + (cpuSeconds(pid) ?? 0), 0);
  }
}

/** Of all processors together (proc(5), /proc/stat): all but idle and waiting for a disk. Stolen time counts as others'. */
function busySeconds(): number {
  const fields = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').trim().split(/\s+/).slice(1, 9).map(Number);
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = fields;
  return (user + nice + system + irq + softirq + steal) / ticksPerSecond;
}
