import { LogIndex, NodeId, Term } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { heartbeatsWithheldMax } from './limits.ts';
import { QuietHeartbeats } from './quiet-heartbeats.ts';
import type { Message } from './raft/types.ts';

const [n1, n2, n3] = [NodeId(1), NodeId(2), NodeId(3)];
const toPeer = { from: n1, to: n2, term: Term(3) };
const toLeader = { from: n2, to: n1, term: Term(3) };
const noHints = { hintIndex: LogIndex(0), hintTerm: Term(0) };
const at = { prevIndex: LogIndex(0), prevTerm: Term(0), commit: LogIndex(0) };

function entries(term = 3): Message {
  const entry = { index: LogIndex(1), term: Term(term), type: 'noop', data: new Uint8Array(0) } as const;
  return { ...toPeer, term: Term(term), type: 'append', ...at, entries: [entry] };
}

function heartbeat(readPosition = 0, term = 3): Message {
  return { ...toPeer, term: Term(term), type: 'heartbeat', commit: LogIndex(0), readPosition };
}

function acknowledged(index: number, of: { rejected?: boolean; term?: number } = {}): Message {
  const { rejected = false, term = 3 } = of;
  return { ...toLeader, term: Term(term), type: 'append-reply', index: LogIndex(index), rejected, ...noHints };
}

function echo(readPosition: number): Message {
  return { ...toLeader, type: 'heartbeat-reply', readPosition };
}

/** A peer that has echoed position 0, took entries and answered. */
function busy(): QuietHeartbeats {
  const quiet = new QuietHeartbeats();
  quiet.isWanted(n2, heartbeat());
  quiet.heard(n2, echo(0));
  quiet.isWanted(n2, entries());
  quiet.heard(n2, acknowledged(1));
  return quiet;
}

test('a heartbeat to a peer that took entries and answered is withheld, the next one without either is not', () => {
  const quiet = busy();
  expect(quiet.isWanted(n2, heartbeat())).toBe(false);
  expect(quiet.isWanted(n2, heartbeat())).toBe(true);
});

const wanted: readonly (readonly [when: string, quiet: (quiet: QuietHeartbeats) => Message])[] = [
  ['that asks for a new read position', () => heartbeat(1)],
  ['in another term', () => heartbeat(0, 4)],
  [
    'after a break of the stream',
    (quiet) => {
      quiet.disconnected(n2);
      return heartbeat();
    },
  ],
];
test.each(wanted)('a heartbeat %s is sent', (_when, prepare) => {
  const quiet = busy();
  expect(quiet.isWanted(n2, prepare(quiet))).toBe(true);
});

test('a heartbeat to another peer is sent', () => {
  expect(busy().isWanted(n3, heartbeat())).toBe(true);
});

const unanswered: readonly (readonly [what: string, reply: Message | undefined])[] = [
  ['nothing', undefined],
  ['a refusal', acknowledged(2, { rejected: true })],
  ['an acknowledgement that is old', acknowledged(1)],
  ['an acknowledgement of another term', acknowledged(2, { term: 2 })],
];
test.each(unanswered)('a peer that answers with %s gets its heartbeat', (_what, reply) => {
  const quiet = busy();
  expect(quiet.isWanted(n2, heartbeat())).toBe(false);
  quiet.isWanted(n2, entries());
  if (reply !== undefined) quiet.heard(n2, reply);
  expect(quiet.isWanted(n2, heartbeat())).toBe(true);
});

test('no more than a few are withheld in a row', () => {
  const quiet = busy();
  const sent = Array.from({ length: heartbeatsWithheldMax + 2 }, (_, round) => {
    const isSent = quiet.isWanted(n2, heartbeat());
    quiet.isWanted(n2, entries());
    quiet.heard(n2, acknowledged(round + 2));
    return isSent;
  });
  expect(sent).toEqual([...Array.from({ length: heartbeatsWithheldMax }, () => false), true, false]);
});

test('everything that is no heartbeat is sent', () => {
  const quiet = busy();
  for (const message of [entries(), acknowledged(9), echo(4)]) expect(quiet.isWanted(n2, message)).toBe(true);
});
