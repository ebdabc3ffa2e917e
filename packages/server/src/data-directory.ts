import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '@lockstep/contract/errors';
import { isObject } from '@lockstep/contract/fields';
import { NodeId } from '@lockstep/contract/ids';
import type { LogIdentity } from '@lockstep/core/log/log-records';
import { syncDirectory } from '@lockstep/core/log/sync-directory';

// <data_dir>/state/   made first
//            log/     made next: once a vote is in it, this node may never have another
//            restores/
//            NODE     made last: whose disk it is. From then on state and log are both there, or the disk is not whole.
//            identity/NODE  the same once more, where a node keeps who it is: its key must not come back without its log.

const stampName = 'NODE';
/** LevelDB's own pointer, and the state's: there as soon as something is. */
const [logPointer, statePointer] = ['CURRENT', 'current'];

/**
 * A node's data directory. Refuses with `damaged` one that has lost its log: with a new log under the same id, a node could vote twice
 * in one term, and its cluster lose what it acknowledged. A state that is lost comes from the other nodes, where there are others.
 */
export class DataDirectory {
  readonly stateDirectory: string;
  readonly logDirectory: string;
  /** Files that a state is restored from; it may be emptied while the node is down and restores nothing. */
  readonly restoresDirectory: string;
  readonly #path: string;
  /** The folders that the stamp is in. */
  readonly #stamped: readonly string[];
  readonly #stamp: string | undefined;
  /** There is one, or something that was one. */
  readonly hasLog: boolean;
  /** There was one. */
  readonly isStateGone: boolean;

  private constructor(path: string) {
    this.#path = path;
    this.stateDirectory = join(path, 'state');
    this.logDirectory = join(path, 'log');
    this.restoresDirectory = join(path, 'restores');
    const identity = join(path, 'identity');
    this.#stamped = existsSync(identity) ? [path, identity] : [path];
    this.#stamp = this.#stamped
      .map((folder) => readStamp(join(folder, stampName)))
      .find((stamp) => stamp !== undefined);
    this.hasLog = existsSync(join(this.logDirectory, logPointer));
    const hasState = existsSync(join(this.stateDirectory, statePointer));
    if (this.#stamp !== undefined && !this.hasLog) throw this.#notWhole('its log is gone');
    this.isStateGone = (this.#stamp !== undefined || this.hasLog) && !hasState;
  }

  /** Before anything in it is opened. Makes it where it isn't there. */
  static async open(path: string): Promise<DataDirectory> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    return new DataDirectory(path);
  }

  /** Whose disk it is; undefined where no node ever got as far as that. */
  static whose(path: string): LogIdentity | undefined {
    const stamp = readStamp(join(path, stampName));
    return stamp === undefined ? undefined : identityIn(stamp, path);
  }

  /** The user whom its node ran as when it first started. */
  static ownerOf(path: string): number {
    return statSync(join(path, stampName)).uid;
  }

  /** For a node that has nobody to fetch a state from. */
  requireState(): void {
    if (this.isStateGone) throw this.#notWhole('its state is gone');
  }

  /** Whether a log is to be begun here: only where there never was one. `state` is what the state's directory holds. */
  mayBegin(state: { readonly appliedIndex: number; readonly controlIndex: number }): boolean {
    if (this.hasLog) return false;
    // A first start may have been cut short after the state was made; then nothing is in it.
    if (state.appliedIndex > 0 || state.controlIndex > 0) throw this.#notWhole('its log is gone');
    return true;
  }

  /** With the log open, before anything is sent: stamps the disk of a first start; refuses a log that came from another disk. */
  async stamp({ clusterId, node, incarnation }: LogIdentity): Promise<void> {
    const own = `${JSON.stringify({ cluster_id: clusterId, node, incarnation })}\n`;
    if (this.#stamp !== undefined && this.#stamp !== own) throw this.#notWhole('its log belongs to another disk');
    for (const folder of this.#stamped) if (!existsSync(join(folder, stampName))) await writeStamp(folder, own);
  }

  #notWhole(what: string): LockstepError {
    return new LockstepError(
      'damaged',
      `data directory ${this.#path} is not whole: ${what}. put back what belongs there, as it was when this node last ran; if it is lost, remove this node from the cluster by one of the others, and let a new node join with an empty directory`,
    );
  }
}

function readStamp(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function identityIn(stamp: string, path: string): LogIdentity {
  const found: unknown = JSON.parse(stamp);
  if (isObject(found)) {
    const { cluster_id: clusterId, node, incarnation } = found;
    if (typeof clusterId === 'string' && typeof node === 'number' && typeof incarnation === 'number')
      return { clusterId, node: NodeId(node), incarnation };
  }
  throw new LockstepError('damaged', `${join(path, stampName)} does not say whose disk it is`);
}

/** Under its name only when it is whole. */
async function writeStamp(path: string, text: string): Promise<void> {
  const unfinished = join(path, `${stampName}.new`);
  const file = await open(unfinished, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, join(path, stampName));
  await syncDirectory(path);
}
