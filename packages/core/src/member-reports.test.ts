import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { MemberReports, type OwnReport } from './member-reports.ts';
import type { PeerMessage } from './peers/peers.ts';

const [self, other] = [NodeId(1), NodeId(2)];
const own: OwnReport = {
  term: 1,
  lastIndex: LogIndex(0),
  floor: LogIndex(0),
  disk: 'ok',
  freeBytes: 0,
  stopBytes: 0,
  checkpoint: undefined,
};

function reports(): { readonly reports: MemberReports; readonly sent: PeerMessage[] } {
  const sent: PeerMessage[] = [];
  const members = { voters: [self, other], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const made = new MemberReports({
    id: self,
    clock: { nowMs: () => 0, wallMs: () => 0, setTimer: () => () => undefined },
    membership: () => members,
    contacts: [],
    send: (_to, message) => sent.push(message),
    own: () => own,
    run: 7,
    memory: undefined,
    log: () => undefined,
    onRolledBack: () => undefined,
  });
  return { reports: made, sent };
}

const holding = (index: number): OwnReport => ({ ...own, lastIndex: LogIndex(index), floor: LogIndex(index) });

test('a report that comes late or twice says nothing of the disk', () => {
  const { reports: known, sent } = reports();
  known.told(other, { ...holding(5), run: 100, sequence: 1 });
  known.told(other, { ...holding(9), run: 100, sequence: 3 });
  known.told(other, { ...holding(5), run: 100, sequence: 2 });
  known.told(other, { ...holding(5), run: 100, sequence: 3 });
  expect(known.isTrusted(other)).toBe(true);
  expect(sent).toEqual([]);
});

test('a node whose disk went back is told with each report, and trusted again when its next run holds enough', () => {
  const { reports: known, sent } = reports();
  known.told(other, { ...holding(9), run: 100, sequence: 1 });
  for (const sequence of [1, 2, 3]) known.told(other, { ...holding(5), run: 200, sequence });
  expect(known.isTrusted(other)).toBe(false);
  expect(sent).toHaveLength(3);
  known.told(other, { ...holding(9), run: 300, sequence: 1 });
  expect(known.isTrusted(other)).toBe(true);
});

test('a new run that holds less than the one before is on a disk that went back', () => {
  const { reports: known, sent } = reports();
  known.told(other, { ...holding(9), run: 100, sequence: 1 });
  known.told(other, { ...holding(5), run: 200, sequence: 1 });
  expect(known.isTrusted(other)).toBe(false);
  expect(sent).toMatchObject([{ kind: 'rolled-back', floor: 9 }]);
});
