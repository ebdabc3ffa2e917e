import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { expect, test } from 'vitest';
import { acquittedMs, reportMs } from './limits.ts';
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

function reports(nowMs: () => number = () => 0): { readonly reports: MemberReports; readonly sent: PeerMessage[] } {
  const sent: PeerMessage[] = [];
  const members = { voters: [self, other], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const made = new MemberReports({
    id: self,
    clock: { nowMs, wallMs: () => 0, setTimer: () => () => undefined },
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

test('a report of a run that has ended, which comes after those of the next one, says nothing of the disk', () => {
  const { reports: known, sent } = reports();
  known.told(other, { ...holding(5), run: 100, sequence: 1 });
  known.told(other, { ...holding(9), run: 100, sequence: 3 });
  known.told(other, { ...holding(9), run: 200, sequence: 1 });
  known.told(other, { ...holding(5), run: 100, sequence: 2 });
  expect(known.isTrusted(other)).toBe(true);
  expect(sent).toEqual([]);
});

test('a late report of a run from before the last one does not make its node a liar for good', () => {
  const clock = { ms: 0 };
  const { reports: known, sent } = reports(() => clock.ms);
  known.told(other, { ...holding(9), run: 300, sequence: 1 });
  // Of a run that nothing was heard of while it lasted.
  known.told(other, { ...holding(5), run: 100, sequence: 1 });
  expect(known.isTrusted(other)).toBe(false);
  expect(sent).toMatchObject([{ kind: 'rolled-back', floor: 9 }]);
  clock.ms = acquittedMs - 1;
  known.told(other, { ...holding(9), run: 300, sequence: 2 });
  expect(known.isTrusted(other)).toBe(false);
  clock.ms = acquittedMs;
  known.told(other, { ...holding(9), run: 300, sequence: 3 });
  expect(known.isTrusted(other)).toBe(true);
});

test('a disk that went back is not trusted for what its earlier run still has on the way', () => {
  const clock = { ms: 0 };
  const { reports: known } = reports(() => clock.ms);
  known.told(other, { ...holding(9), run: 100, sequence: 1 });
  for (let sequence = 1; sequence <= 6; sequence++) {
    known.told(other, { ...holding(5), run: 200, sequence });
    known.told(other, { ...holding(9), run: 100, sequence: 1 + sequence });
    expect(known.isTrusted(other)).toBe(false);
    clock.ms += reportMs;
  }
});

test('a new run that holds less than the one before is on a disk that went back', () => {
  const { reports: known, sent } = reports();
  known.told(other, { ...holding(9), run: 100, sequence: 1 });
  known.told(other, { ...holding(5), run: 200, sequence: 1 });
  expect(known.isTrusted(other)).toBe(false);
  expect(sent).toMatchObject([{ kind: 'rolled-back', floor: 9 }]);
});
