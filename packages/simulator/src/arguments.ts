import { randomInt } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import { freshSeedMax } from './limits.ts';

/** An option's number, within its range; refused with its name. */
export function integer(name: string, text: string, range: { readonly least: number; readonly most: number }): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= range.least && value <= range.most) return value;
  throw new LockstepError(
    'invalid-input',
    `--${name} must be an integer from ${range.least} to ${range.most}, is "${text}"`,
  );
}

export function freshSeed(): string {
  return String(randomInt(freshSeedMax));
}

/** Runs a program to its exit code: 2, with the usage, for what it was not asked rightly. */
export async function runProgram(main: () => Promise<number>, usage: string): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    const isUsage = error instanceof TypeError || (error instanceof LockstepError && error.code === 'invalid-input');
    process.stderr.write(
      isUsage
        ? `${error.message}\n\n${usage}`
        : `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exitCode = isUsage ? 2 : 1;
  }
}
