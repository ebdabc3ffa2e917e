import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '@lockstep/contract/errors';

const damagedName = 'damaged';

/** Why the state in `directory` can't be used; kept beside it until another node's has taken its place. */
export class StateDamage {
  readonly #path: string;
  #why: string | undefined;

  constructor(directory: string) {
    this.#path = join(directory, damagedName);
    if (existsSync(this.#path)) this.#why = readFileSync(this.#path, 'utf8').trim() || 'it was found so before';
  }

  /** Undefined where the state is sound, as far as is known. */
  get why(): string | undefined {
    return this.#why;
  }

  /** The state is not used again, not after a restart either. False where that was known. */
  found(why: string): boolean {
    if (this.#why !== undefined) return false;
    this.#why = why;
    const file = openSync(this.#path, 'w', 0o600);
    try {
      writeSync(file, `${why}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    return true;
  }

  /** A sound state is in its place, durably. */
  mended(): void {
    rmSync(this.#path, { force: true });
    this.#why = undefined;
  }

  requireNone(): void {
    if (this.#why !== undefined) throw damagedState(this.#why);
  }
}

/** There was a state in `directory`, and there is none: what is opened there next must not be taken for one before the first entry. */
export async function markGone(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  new StateDamage(directory).found('it was gone from its directory');
}

/** What a caller is told meanwhile. */
export function damagedState(why: string, cause?: unknown): LockstepError {
  return new LockstepError(
    'unavailable',
    `this node's copy of the state is damaged (${why}), and is being replaced by another node's; ask another node`,
    { cause },
  );
}
