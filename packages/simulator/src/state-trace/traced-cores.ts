import type { RaftOptions } from '@lockstep/core/raft/core';
import type { Raft } from '@lockstep/core/raft/raft';
import { tracedRaft } from './traced-raft.ts';

/** Makes cores that tell what they do, a line of JSON for each step: what etcd's tla/validate.sh reads. */
export function tracedCores(say: (line: string) => void, nowMs: () => number): (options: RaftOptions) => Raft {
  return (options) => tracedRaft(options, (event) => say(JSON.stringify({ tag: 'trace', ts: nowMs() / 1000, event })));
}
