import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Reply } from '@lockstep/contract/engine';
import type { AutoSeal } from '@lockstep/contract/seal';
import type { Membership } from '@lockstep/core/raft/types';
import { playRecording } from '../recorded/play-recording.fixture.ts';
import { type Asked, recordedDeadlineMs, type RecordedNode } from '../recorded/recorded-node.fixture.ts';
import { readRecording, recordingsFolder } from '../recorded/recording.fixture.ts';
import { saveToMemory } from '../saved/save-to-memory.fixture.ts';
import { type RestoreDone, Restorer } from './restore-snapshot.ts';

const recording = join(recordingsFolder, 'v1');
export const recordedClusterId: string = readRecording(recording).clusterId;

export interface RestoringNode {
  readonly node: RecordedNode;
  readonly directory: string;
  readonly restorer: Restorer;
  readonly ask: (asked: Omit<Asked, 'token'>) => Promise<Reply>;
  readonly save: () => Promise<Buffer>;
  readonly restore: (file: Uint8Array, asked?: { readonly force?: boolean }) => Promise<RestoreDone>;
  readonly close: () => Promise<void>;
}

/** A cluster's only node, with the recorded secrets in it, that saves and restores. */
export async function openRestoringNode(
  of: {
    readonly membership?: Membership;
    readonly autoSeal?: AutoSeal;
    readonly freeBytes?: (directory: string) => Promise<number>;
  } = {},
): Promise<RestoringNode> {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-restoring-'));
  const { rootToken } = readRecording(recording);
  const node = await playRecording(recording, { directory, from: 'the first entry', ...of });
  const { state, keeper, consensus, positions, folder, restores, host, clock } = node;
  const clusterId = recordedClusterId;
  const restorer = new Restorer({
    clusterId,
    state,
    keeper,
    autoSeal: of.autoSeal,
    consensus,
    positions,
    folder,
    restores,
    pull: () => ({ cancel: () => undefined }),
    setTimer: clock.setTimer,
    leaderAddress: () => undefined,
    logTimeMs: () => host.confirmRead(performance.now() + recordedDeadlineMs),
  });
  return {
    node,
    directory,
    restorer,
    ask: (asked) => node.ask({ ...asked, token: rootToken }),
    save: () => saveToMemory(node),
    restore: (file, { force = false } = {}) =>
      restorer.restore({ data: inPieces(file), force, signal: new AbortController().signal }),
    close: async () => {
      await node.close();
      rmSync(directory, { recursive: true });
    },
  };
}

async function* inPieces(file: Uint8Array): AsyncGenerator<Uint8Array> {
  const pieceBytes = 1000;
  for (let at = 0; at < file.length; at += pieceBytes) yield file.subarray(at, at + pieceBytes);
}
