import { randomBytes } from 'node:crypto';
import type { ConsensusNode } from '@lockstep/core/node-options';
import { Histogram } from '../../histogram.ts';
import { type LoadChoice, type LoadSeen, machineMs } from '../question.ts';
import type { BenchMachine } from './bench-machine.ts';

/** A time without an acknowledgement that is worth telling. */
const gapMsMin = 50;
/** A caller that was refused waits so long before it tries again. */
const refusedRestMs = 5;

/** What comes at a rate is looked for so often: a timer's own grain. */
const offerMs = 1;

/**
 * Operations of callers in this process, where the port's users are, at the pace that was chosen. A write has ended when the state of
 * this node has it; a read when this node may answer it.
 */
export class Load {
  readonly #parts: { readonly node: ConsensusNode; readonly machine: BenchMachine };
  readonly #choice: LoadChoice;
  readonly #payload: Uint8Array;
  readonly #warmFromMs: number;
  readonly #histogram = new Histogram();
  readonly #gaps: [number, number][] = [];
  #lastMs: number;
  #counts = { done: 0, refused: 0, unknown: 0 };
  #isOver = false;

  constructor(parts: { readonly node: ConsensusNode; readonly machine: BenchMachine }, choice: LoadChoice) {
    this.#parts = parts;
    this.#choice = choice;
    this.#payload = randomBytes(choice.bytes);
    this.#warmFromMs = machineMs() + choice.warmUpMs;
    this.#lastMs = machineMs();
    const { pace } = choice;
    if ('perSecond' in pace) this.#offer(pace.perSecond, performance.now(), 0);
    else for (let caller = 0; caller < pace.inFlight; caller++) this.#next();
  }

  end(): LoadSeen {
    this.#isOver = true;
    this.#noteGap(machineMs());
    const warmMs = machineMs() - this.#warmFromMs;
    return { ...this.#counts, warmMs, histogram: this.#histogram.counts, gaps: this.#gaps };
  }

  /** Begins what is due since `fromMs`, of which `begun` were begun before. */
  #offer(perSecond: number, fromMs: number, begun: number): void {
    if (this.#isOver) return;
    const due = Math.floor(((performance.now() - fromMs) * perSecond) / 1000);
    for (let at = begun; at < due; at++) this.#begin();
    setTimeout(() => this.#offer(perSecond, fromMs, due), Math.max(offerMs, 1000 / perSecond));
  }

  /** A caller goes on; at a rate nobody waits for an end. */
  #next(): void {
    if ('inFlight' in this.#choice.pace) this.#begin();
  }

  #begin(): void {
    if (this.#isOver) return;
    if (this.#choice.what === 'writes') this.#write(performance.now());
    else this.#read(performance.now());
  }

  #write(sentMs: number): void {
    const { node, machine } = this.#parts;
    node.propose(this.#payload, (outcome) => {
      if (outcome.kind !== 'appended') return this.#failed(outcome.kind);
      machine.positions.wait(outcome, ({ kind }) => {
        if (kind === 'applied') this.#done(sentMs);
        else this.#failed(kind === 'not-appended' ? 'refused' : 'unknown');
      });
    });
  }

  #read(sentMs: number): void {
    const { node, machine } = this.#parts;
    node.readIndex((outcome) => {
      if (outcome.kind !== 'confirmed') return this.#failed('refused');
      machine.positions.whenApplied(outcome.index, () => this.#done(sentMs));
    });
  }

  #done(sentMs: number): void {
    if (this.#isOver) return;
    const nowMs = machineMs();
    if (nowMs >= this.#warmFromMs) {
      this.#counts.done++;
      this.#histogram.add(performance.now() - sentMs);
    }
    this.#noteGap(nowMs);
    this.#lastMs = nowMs;
    this.#next();
  }

  #failed(how: 'refused' | 'unknown'): void {
    if (this.#isOver) return;
    if (machineMs() >= this.#warmFromMs) this.#counts[how]++;
    setTimeout(() => this.#next(), refusedRestMs);
  }

  #noteGap(nowMs: number): void {
    if (nowMs - this.#lastMs >= gapMsMin) this.#gaps.push([this.#lastMs, nowMs]);
  }
}
