import type { PeerMessage } from '@lockstep/core/peers/peers';
import type { Message, Ready } from '@lockstep/core/raft/types';

/** A message in a few words, for who reads a trace. */
export function describeMessage(message: PeerMessage): string {
  return message.kind === 'raft'
    ? `${message.message.type} in term ${message.message.term}${detailsOf(message.message)}`
    : message.kind;
}

function detailsOf(message: Message): string {
  switch (message.type) {
    case 'append': {
      const { prevIndex, prevTerm, entries, commit } = message;
      const what = entries.length === 0 ? 'nothing' : `${entries[0]?.index} to ${entries.at(-1)?.index}`;
      return `: ${what} after ${prevTerm}/${prevIndex}, commit ${commit}`;
    }
    case 'append-reply': {
      const { rejected, index, hintIndex, hintTerm } = message;
      return rejected ? `: refused after ${index}, hint ${hintTerm}/${hintIndex}` : `: has ${index}`;
    }
    case 'pre-vote':
    case 'vote':
      return `: log ends at ${message.lastTerm}/${message.lastIndex}${message.transfer ? ', by transfer' : ''}`;
    case 'pre-vote-reply':
    case 'vote-reply':
      return message.rejected ? ': no' : ': yes';
    case 'heartbeat':
      return `: commit ${message.commit}, reads ${message.readPosition}`;
    case 'heartbeat-reply':
      return `: reads ${message.readPosition}`;
    case 'snapshot':
      return `: ${message.meta.term}/${message.meta.index}`;
    case 'timeout-now':
      return '';
    default:
      return message satisfies never;
  }
}

/** What a core hands out besides messages; undefined where that is nothing. */
export function describeReady(ready: Ready): string | undefined {
  const { persist, committed, role, term } = ready;
  const parts: string[] = [];
  if (persist?.snapshot !== undefined)
    parts.push(`log begins after ${persist.snapshot.term}/${persist.snapshot.index}`);
  if (persist?.truncateFrom !== undefined) parts.push(`cuts from ${persist.truncateFrom}`);
  const [first, last] = [persist?.entries[0], persist?.entries.at(-1)];
  if (first !== undefined) parts.push(`writes ${first.term}/${first.index} to ${last?.term}/${last?.index}`);
  if (persist?.hardState !== undefined) {
    const { vote, commit } = persist.hardState;
    parts.push(`term ${persist.hardState.term}, vote ${vote}, commit ${commit}`);
  }
  if (committed.length > 0) parts.push(`committed ${committed[0]?.index} to ${committed.at(-1)?.index}`);
  return parts.length === 0 ? undefined : `${role} in term ${term}: ${parts.join('; ')}`;
}
