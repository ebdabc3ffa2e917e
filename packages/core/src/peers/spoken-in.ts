import { protocolVersionMax } from './limits.ts';
import type { PeerMessage } from './peers.ts';

/**
 * What of `messages` a peer understands that speaks no later version than `version`. Version 1 knows neither votes that tell
 * what is committed nor snapshots that tell who the members are: they are told without. It is sent nothing about disks
 * and states, and what is asked of a leader that speaks it gets no answer.
 */
export function spokenIn(version: number, messages: readonly PeerMessage[]): readonly PeerMessage[] {
  return version >= protocolVersionMax ? messages : messages.flatMap(inVersionOne);
}

const newInTwo: ReadonlySet<PeerMessage['kind']> = new Set([
  'report',
  'rolled-back',
  'roster',
  'state-ask',
  'state-offer',
  'ask',
  'answer',
]);

function inVersionOne(message: PeerMessage): PeerMessage | readonly PeerMessage[] {
  if (newInTwo.has(message.kind)) return [];
  if (message.kind !== 'raft') return message;
  const { message: raft } = message;
  if (raft.type === 'snapshot') {
    const { roster: _, ...membership } = raft.meta.membership;
    return { kind: 'raft', message: { ...raft, meta: { ...raft.meta, membership } } };
  }
  if (raft.type !== 'pre-vote-reply' && raft.type !== 'vote-reply') return message;
  const { type, from, to, term, rejected } = raft;
  return { kind: 'raft', message: { type, from, to, term, rejected } };
}
