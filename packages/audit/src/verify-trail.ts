import { hash } from 'node:crypto';
import { trailStart } from './trail.ts';

export type TrailVerdict =
  | { readonly kind: 'whole'; readonly lines: number; readonly runs: number }
  /** `line` counts from 1. */
  | { readonly kind: 'broken'; readonly line: number; readonly reason: string };

/**
 * Checks the text of a trail: within each run of a node the numbers go up by one and each line names the hash of the one before it.
 * The file may begin in the middle of a run (after rotation), and several runs may follow each other. What it can't see is a cut at
 * the very end.
 */
export function verifyTrail(text: string): TrailVerdict {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const ends = new Map<string, { readonly sequence: number; readonly hash: string }>();
  for (const [at, line] of lines.entries()) {
    const chain = chainOf(line);
    if (chain === undefined) return { kind: 'broken', line: at + 1, reason: 'the line is not an audit entry' };
    const before = ends.get(chain.run);
    const mayBegin = at === 0 || (chain.sequence === 1 && chain.previous === trailStart);
    if (before === undefined && !mayBegin)
      return { kind: 'broken', line: at + 1, reason: 'a run begins in its middle' };
    if (before !== undefined && chain.sequence !== before.sequence + 1)
      return { kind: 'broken', line: at + 1, reason: `number ${chain.sequence} follows ${before.sequence}` };
    if (before !== undefined && chain.previous !== before.hash)
      return { kind: 'broken', line: at + 1, reason: 'the line before it was changed' };
    ends.set(chain.run, { sequence: chain.sequence, hash: hash('sha256', `${line}\n`, 'base64url') });
  }
  return { kind: 'whole', lines: lines.length, runs: ends.size };
}

function chainOf(
  line: string,
): { readonly run: string; readonly sequence: number; readonly previous: string } | undefined {
  try {
    const { chain } = JSON.parse(line);
    const isChain =
      typeof chain?.run === 'string' && Number.isSafeInteger(chain.sequence) && typeof chain.previous === 'string';
    return isChain ? chain : undefined;
  } catch {
    return undefined;
  }
}
