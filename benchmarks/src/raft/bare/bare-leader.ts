import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { Histogram } from '../../histogram.ts';
import { type LoadChoice, type LoadSeen, machineMs } from '../question.ts';
import { AppendFile } from './append-file.ts';
import type { BareProcess } from './bare-process.ts';
import { eachFrame, frameOf } from './frames.ts';

interface Caller {
  readonly sentMs: number;
}

/** The leader: what callers hand in during one turn is one frame. */
export class BareLeader implements BareProcess {
  readonly port = 0;
  readonly #file: AppendFile;
  readonly #followers: readonly Socket[];
  /** Payloads that are durable in each process, this one first. */
  readonly #durable: number[];
  readonly #underWay: Caller[] = [];
  #taken = 0;
  #waiting: Uint8Array[] = [];
  #isTurnDue = false;
  #load: { readonly choice: LoadChoice; readonly payload: Uint8Array; readonly warmFromMs: number } | undefined;
  #histogram = new Histogram();
  /** Payloads that two of three have. */
  transactions = 0;

  static async open(directory: string, followerPorts: readonly number[]): Promise<BareLeader> {
    return new BareLeader(directory, await Promise.all(followerPorts.map(connected)));
  }

  private constructor(directory: string, followers: readonly Socket[]) {
    this.#followers = followers;
    this.#durable = [0, ...followers.map(() => 0)];
    this.#file = new AppendFile(join(directory, 'bare.log'), (count) => this.#acknowledged(0, count));
    for (const [at, follower] of followers.entries())
      eachFrame(follower, (_frame, count) => this.#acknowledged(at + 1, count));
  }

  get syncs(): number {
    return this.#file.syncs;
  }

  begin(choice: LoadChoice): void {
    const payload = new Uint8Array(choice.bytes).fill(1);
    this.#histogram = new Histogram();
    this.#load = { choice, payload, warmFromMs: machineMs() + choice.warmUpMs };
    if (!('inFlight' in choice.pace)) throw new Error('the bare pipeline takes callers, not a rate');
    for (let caller = 0; caller < choice.pace.inFlight; caller++) this.#propose();
  }

  end(): LoadSeen {
    const warmMs = machineMs() - (this.#load?.warmFromMs ?? 0);
    this.#load = undefined;
    const { counts: histogram, count: done } = this.#histogram;
    return { done, refused: 0, unknown: 0, warmMs, histogram, gaps: [] };
  }

  #propose(): void {
    if (this.#load === undefined) return;
    this.#waiting.push(this.#load.payload);
    this.#underWay.push({ sentMs: performance.now() });
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isTurnDue = false;
    const frame = frameOf(this.#waiting);
    const count = this.#waiting.length;
    this.#waiting = [];
    for (const follower of this.#followers) follower.write(frame);
    this.#file.append(frame, count);
  }

  #acknowledged(process: number, count: number): void {
    this.#durable[process] = (this.#durable[process] ?? 0) + count;
    const byCount = this.#durable.toSorted((a, b) => b - a);
    const committed = byCount[Math.floor(byCount.length / 2)] ?? 0;
    // A head of the queue that is cut off later: shifting each would move all the rest.
    while (this.transactions < committed) {
      const caller = this.#underWay[this.#taken];
      if (caller === undefined) break;
      this.#taken++;
      this.transactions++;
      if (this.#load !== undefined && machineMs() >= this.#load.warmFromMs)
        this.#histogram.add(performance.now() - caller.sentMs);
      this.#propose();
    }
    if (this.#taken > 4096) {
      this.#underWay.splice(0, this.#taken);
      this.#taken = 0;
    }
  }
}

function connected(to: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(to, '127.0.0.1', () => resolve(socket));
    socket.setNoDelay(true);
    socket.once('error', reject);
  });
}
