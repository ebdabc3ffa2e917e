import { LockstepError } from '@lockstep/contract/errors';

/** One directive of a data-driven file: a command with arguments and input, and what it printed. */
export interface Case {
  /** Where the command stands in its file, from 1. */
  readonly line: number;
  readonly command: string;
  readonly args: readonly Arg[];
  readonly input: readonly string[];
  readonly expected: readonly string[];
}

/** `key`, `key=value` or `key=(value,value)`. */
export interface Arg {
  readonly key: string;
  readonly values: readonly string[];
}

/**
 * Parses cockroachdb/datadriven's format: comments and blank lines, a directive line (`\` continues it), input up to `----`, output
 * up to a blank line, or up to a second pair of `----` when the output itself has blank lines.
 */
export function parseCases(text: string): readonly Case[] {
  const lines = text.split(/\r?\n/);
  const cases: Case[] = [];
  let at = 0;
  while (at < lines.length) {
    const first = (lines[at] ?? '').trim();
    if (first === '' || first.startsWith('#')) {
      at += 1;
      continue;
    }
    const line = at + 1;
    let directive = first;
    while (directive.endsWith('\\')) {
      at += 1;
      directive = `${directive.slice(0, -1)} ${(lines[at] ?? '').trim()}`;
    }
    const separator = lines.indexOf('----', at + 1);
    if (separator === -1) throw new LockstepError('invalid-input', `line ${line}: no ---- after the directive`);
    const input = lines.slice(at + 1, separator);
    const isDouble = lines[separator + 1] === '----';
    const begin = separator + (isDouble ? 2 : 1);
    const end = isDouble ? endOfDouble(lines, begin) : endOfOutput(lines, begin);
    cases.push({ line, ...parseDirective(directive), input, expected: lines.slice(begin, end) });
    at = end + (isDouble ? 2 : 1);
  }
  return cases;
}

function endOfOutput(lines: readonly string[], begin: number): number {
  const end = lines.findIndex((line, at) => at >= begin && line.trim() === '');
  return end === -1 ? lines.length : end;
}

function endOfDouble(lines: readonly string[], begin: number): number {
  for (let at = begin; at < lines.length; at += 1) if (lines[at] === '----' && lines[at + 1] === '----') return at;
  throw new LockstepError('invalid-input', `line ${begin}: no second pair of ----`);
}

export function parseDirective(directive: string): { readonly command: string; readonly args: readonly Arg[] } {
  const [command = '', ...rest] = directive.match(/[^\s=]+(?:=(?:\([^)]*\)|\S*))?/g) ?? [];
  const args = rest.map((arg) => {
    const equals = arg.indexOf('=');
    if (equals === -1) return { key: arg, values: [] };
    const value = arg.slice(equals + 1).replace(/^\((.*)\)$/s, '$1');
    return {
      key: arg.slice(0, equals),
      values: value === '' ? [] : value.split(/[\s,]+/).filter((part) => part !== ''),
    };
  });
  return { command, args };
}
