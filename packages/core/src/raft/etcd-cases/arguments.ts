import { LockstepError } from '@lockstep/contract/errors';
import type { Arg } from './parse.ts';

export function valueOf(args: readonly Arg[], key: string): string | undefined {
  return args.find((arg) => arg.key === key)?.values[0];
}

/** The numbers among the arguments without values: the nodes that a command names. Anything else there is refused. */
export function nodesNamed(args: readonly Arg[]): readonly number[] {
  return args.filter((arg) => arg.values.length === 0).map((arg) => idIn(arg.key));
}

/** The argument at a place, which must be a number. */
export function numberAt(args: readonly Arg[], at: number): number {
  return idIn(args[at]?.key ?? '');
}

export function idsOf(args: readonly Arg[], key: string): readonly number[] {
  return args.filter((arg) => arg.key === key).flatMap((arg) => arg.values.map(idIn));
}

export function idIn(text: string): number {
  if (!/^\d+$/.test(text)) throw unreadable(`"${text}" is not a number`);
  return Number(text);
}

export function flagOf(args: readonly Arg[], key: string): boolean {
  const value = valueOf(args, key) ?? 'false';
  if (value !== 'true' && value !== 'false') throw unreadable(`${key} must be true or false, is "${value}"`);
  return value === 'true';
}

/** What an option does decides what follows: one that is not known is refused, never skipped. */
export function requireKnown(args: readonly Arg[], known: readonly string[]): void {
  const stranger = args.find(({ key, values }) => values.length > 0 && !known.includes(key));
  if (stranger !== undefined)
    throw unreadable(`option "${stranger.key}" is not known; there are ${known.join(', ') || 'none'}`);
}

/** A file that asks for what is not known here. The message is completed with the line and the command. */
export function unreadable(rule: string): LockstepError {
  return new LockstepError('invalid-input', rule);
}
