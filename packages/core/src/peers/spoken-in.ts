import { protocolVersionMax } from './limits.ts';
import type { PeerMessage } from './peers.ts';

/**
 * What of `messages` a peer understands that speaks no later version than `version`. Version 1 knows neither votes that tell
 * what is committed nor snapshots that tell who the members are: they are told without.
 */
export function spokenIn(version: number, messages: readonly PeerMessage[]): readonly PeerMessage[] {
  return version >= protocolVersionMax ? messages : messages.map(inVersionOne);
}

function inVersionOne(message: PeerMessage): PeerMessage {
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
