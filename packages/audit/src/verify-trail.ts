import { hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { LockstepError } from '@lockstep/contract/errors';
import { lineCharsMax, problemsListedMax } from './limits.ts';
import { trailStart } from './trail.ts';

export interface TrailProblem {
  readonly file: string;
  readonly line: number;
  readonly problem: string;
}

export interface VerifiedRun {
  readonly run: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Lines that a later line says no sink took: their requests were refused, or their answers withheld. */
  readonly lost: number;
}

export interface TrailReport {
  readonly lines: number;
  readonly runs: readonly VerifiedRun[];
  /** The first hundred. */
  readonly problems: readonly TrailProblem[];
  readonly problemCount: number;
}

interface RunState {
  readonly firstSequence: number;
  lastSequence: number;
  lastHash: string;
  lost: number;
  /** Not there, and not yet explained by a `lost` of a later line. */
  readonly gaps: { from: number; to: number; readonly at: Omit<TrailProblem, 'problem'> }[];
}

/**
 * Checks the chain of audit lines in one file, or in a file and its predecessors, oldest first: no line may be missing, changed
 * or out of order within a run. What the newest line alone could show (that lines after it were cut off) can't be seen, nor
 * whether the first file is the first. Refuses with `unavailable` a file that can't be read.
 */
export async function verifyTrail(files: readonly string[]): Promise<TrailReport> {
  const verifier = new Verifier();
  for (const file of files) {
    let number = 0;
    for await (const line of linesOf(file)) verifier.line(line, { file, line: ++number });
  }
  return verifier.report();
}

class Verifier {
  readonly #runs = new Map<string, RunState>();
  readonly #problems: TrailProblem[] = [];
  #problemCount = 0;
  #lines = 0;

  line(line: Line, at: Omit<TrailProblem, 'problem'>): void {
    this.#lines++;
    if (line.isCut) return this.#problem(at, 'is cut short: it does not end in a newline');
    const link = linkOf(line.text);
    if (link === undefined) return this.#problem(at, 'is not an audit line');
    const state = this.#runs.get(link.run);
    const lastHash = hash('sha256', `${line.text}\n`, 'base64url');
    if (state === undefined) {
      // A file may begin in the middle of a run, after a rotation.
      if (link.sequence === 1 && link.previous !== trailStart)
        this.#problem(at, 'is the first of its run, but names a line before it');
      this.#runs.set(link.run, {
        firstSequence: link.sequence,
        lastSequence: link.sequence,
        lastHash,
        lost: 0,
        gaps: [],
      });
      return;
    }
    if (link.sequence <= state.lastSequence)
      return this.#problem(at, `has sequence ${link.sequence} after ${state.lastSequence}`);
    if (link.sequence > state.lastSequence + 1)
      state.gaps.push({ from: state.lastSequence + 1, to: link.sequence - 1, at });
    else if (link.previous !== state.lastHash)
      this.#problem(at, `does not follow line ${state.lastSequence} of its run: that was changed`);
    state.lastSequence = link.sequence;
    state.lastHash = lastHash;
    for (const lost of link.lost) explain(state, lost);
  }

  report(): TrailReport {
    const runs: VerifiedRun[] = [];
    for (const [run, { firstSequence, lastSequence, lost, gaps }] of this.#runs) {
      for (const { from, to, at } of gaps) this.#problem(at, `comes after ${to - from + 1} missing: ${from} to ${to}`);
      runs.push({ run, firstSequence, lastSequence, lost });
    }
    return { lines: this.#lines, runs, problems: this.#problems, problemCount: this.#problemCount };
  }

  #problem(at: Omit<TrailProblem, 'problem'>, problem: string): void {
    this.#problemCount++;
    if (this.#problems.length < problemsListedMax) this.#problems.push({ ...at, problem });
  }
}

/** Takes the lines that are declared lost out of the gaps. */
function explain(state: RunState, [from, to]: readonly [number, number]): void {
  for (const gap of state.gaps.splice(0)) {
    const [first, last] = [Math.max(from, gap.from), Math.min(to, gap.to)];
    if (first > last) {
      state.gaps.push(gap);
      continue;
    }
    state.lost += last - first + 1;
    if (gap.from < first) state.gaps.push({ ...gap, to: first - 1 });
    if (last < gap.to) state.gaps.push({ ...gap, from: last + 1 });
  }
}

interface Link {
  readonly run: string;
  readonly sequence: number;
  readonly previous: string;
  readonly lost: readonly (readonly [number, number])[];
}

function linkOf(text: string): Link | undefined {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof line !== 'object' || line === null || !('chain' in line)) return undefined;
  const { chain } = line;
  if (typeof chain !== 'object' || chain === null) return undefined;
  if (!('run' in chain && 'sequence' in chain && 'previous' in chain)) return undefined;
  const { run, sequence, previous } = chain;
  if (typeof run !== 'string' || typeof previous !== 'string' || typeof sequence !== 'number') return undefined;
  if (!Number.isSafeInteger(sequence) || sequence < 1) return undefined;
  return { run, sequence, previous, lost: 'lost' in chain ? rangesOf(chain.lost) : [] };
}

function rangesOf(lost: unknown): readonly (readonly [number, number])[] {
  if (!Array.isArray(lost)) return [];
  return lost.flatMap((range: unknown) => {
    if (!Array.isArray(range)) return [];
    const [from, to]: readonly unknown[] = range;
    return typeof from === 'number' && typeof to === 'number' ? [[from, to] as const] : [];
  });
}

interface Line {
  readonly text: string;
  readonly isCut: boolean;
}

/** Lines without their newline; never more than one line, bounded, in memory. */
async function* linesOf(file: string): AsyncGenerator<Line> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  try {
    for await (const chunk of createReadStream(file)) {
      const lines = (rest + decoder.write(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const text of lines) yield { text, isCut: false };
      if (rest.length > lineCharsMax)
        throw new LockstepError('too-large', `audit file ${file} has a line above ${lineCharsMax} characters`);
    }
  } catch (cause) {
    if (cause instanceof LockstepError) throw cause;
    throw new LockstepError('unavailable', `audit file ${file} can't be read`, { cause });
  }
  if (rest !== '') yield { text: rest, isCut: true };
}
