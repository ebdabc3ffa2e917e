import { LockstepError } from '@lockstep/contract/errors';
import type { FrameReader } from './frame-reader.ts';
import type { FrameWriter } from './frame-writer.ts';
import { reportDigestBytesMax } from './limits.ts';

/** `low` is a warning; at `full` clients' writes are refused; at `exhausted` nothing is stored that can wait. */
export type DiskLevel = 'ok' | 'low' | 'full' | 'exhausted';

/** The state at one entry, as a digest that is the same on every node whose state is the same. */
export interface StateCheckpoint {
  readonly index: number;
  readonly digest: Uint8Array;
}

/** What a node tells the others about itself, each second and first of all on every new stream. */
export interface NodeReport {
  /** Drawn when the process started. */
  readonly run: number;
  /** Counts up within a run. */
  readonly sequence: number;
  /** Durable here: this node never goes back to an earlier term. */
  readonly term: number;
  /** Durable here. */
  readonly lastIndex: number;
  /** Durable here and committed: this node's log never ends before it, whatever happens. */
  readonly floor: number;
  readonly disk: DiskLevel;
  readonly freeBytes: number;
  /** What must be free for clients' writes to be taken. */
  readonly stopBytes: number;
  /** The newest checkpoint; undefined on a node that is sealed, or that has reached none. */
  readonly checkpoint: StateCheckpoint | undefined;
}

// report := run:u53 sequence:u53 term:u53 lastIndex:u53 floor:u53 disk:u8 freeBytes:u53 stopBytes:u53 checkpoint
// checkpoint := 0 | 1 index:u53 digest:bytes
const levels = ['ok', 'low', 'full', 'exhausted'] as const satisfies readonly DiskLevel[];

export function writeReport(writer: FrameWriter, report: NodeReport): void {
  writer.u53('run', report.run);
  writer.u53('sequence', report.sequence);
  writer.u53('term', report.term);
  writer.u53('last index', report.lastIndex);
  writer.u53('floor', report.floor);
  writer.u8(levels.indexOf(report.disk));
  writer.u53('free bytes', report.freeBytes);
  writer.u53('stop bytes', report.stopBytes);
  writer.flag(report.checkpoint !== undefined);
  if (report.checkpoint === undefined) return;
  const { index, digest } = report.checkpoint;
  if (digest.length > reportDigestBytesMax)
    throw new LockstepError('too-large', `a digest has at most ${reportDigestBytesMax} bytes, not ${digest.length}`);
  writer.u53('checkpoint', index);
  writer.blob(digest);
}

export function readReport(reader: FrameReader): NodeReport {
  return {
    run: reader.u53('run'),
    sequence: reader.u53('sequence'),
    term: reader.u53('term'),
    lastIndex: reader.u53('last index'),
    floor: reader.u53('floor'),
    disk: reader.oneOf('disk level', levels, 0),
    freeBytes: reader.u53('free bytes'),
    stopBytes: reader.u53('stop bytes'),
    checkpoint: reader.flag('has checkpoint') ? readCheckpoint(reader) : undefined,
  };
}

function readCheckpoint(reader: FrameReader): StateCheckpoint {
  const index = reader.u53('checkpoint');
  // A copy: it outlives the frame.
  const digest = reader.blob('digest').slice();
  if (digest.length > reportDigestBytesMax)
    throw reader.refusal(`has ${digest.length} digest bytes, at most ${reportDigestBytesMax} are allowed`);
  return { index, digest };
}
