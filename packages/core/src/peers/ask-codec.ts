import { decodeMembershipChange, encodeMembershipChange } from '../raft/membership-codec.ts';
import { decodeRoster, encodeRoster } from '../raft/roster-codec.ts';
import type { MembersCondition } from '../autopilot/condition.ts';
import type { MembersView } from '../members/members-view.ts';
import type { FrameReader } from './frame-reader.ts';
import type { FrameWriter } from './frame-writer.ts';
import type { AskRefusal, LeaderAnswer, LeaderAsk } from './leader-asks.ts';
import { frameMembersMax, refusalTextBytesMax } from './limits.ts';
import { readMembership, writeMembership } from './snapshot-meta-codec.ts';

/*
 *   ask    := 1 change:bytes ifMembershipIndex:u53 votersMin:u53 | 2 data:bytes | 3 to:u53 | 4 | 5
 *   answer := 1 index:u53 | 2 index:u53 term:u53 | 3 to:u53 term:u53 | 4 view | 5 reason:u8 text:str | 6 view condition
 *   view   := leader:u53 term:u53 commit:u53 lastIndex:u53 isReady:u8 isChangePending:u8 membership hasRoster:u8 roster:bytes?
 *             count:u16 (node:u53 match:u53 wasHeard:u8 silentMs:u53? isBehindLog:u8)*
 *   condition := heldBy:str count:u16 (node:u53 ailment:str term:u53 isStable:u8 stableMs:u53? unheardMs:u53)*
 *
 * with the parts of peer-codec.ts. The change and the roster are as the log holds them.
 */

/** Numbered for ever: the place in this list. */
const refusals = [
  'no-leader',
  'busy',
  'too-large',
  'disk-full',
  'membership-moved',
  'change-pending',
  'joint',
  'not-ready',
  'quorum-lost',
  'not-caught-up',
  'voters-min',
  'last-voter',
  'removed',
  'not-member',
  'no-change',
  'invalid',
  'transferring',
  'no-target',
  'transfer-failed',
] as const satisfies readonly AskRefusal[];

export function writeAsk(writer: FrameWriter, ask: LeaderAsk): void {
  switch (ask.kind) {
    case 'change':
      writer.u8(1);
      writer.blob(encodeMembershipChange(ask.change));
      writer.u53('membership index', ask.ifMembershipIndex);
      writer.u53('least voters', ask.votersMin);
      return;
    case 'control':
      writer.u8(2);
      writer.blob(ask.data);
      return;
    case 'hand-over':
      writer.u8(3);
      writer.u53('to', ask.to);
      return;
    case 'members':
      writer.u8(4);
      return;
    case 'autopilot':
      writer.u8(5);
      return;
    default:
      ask satisfies never;
  }
}

export function readAsk(reader: FrameReader): LeaderAsk {
  const kind = reader.u8('ask');
  switch (kind) {
    case 1:
      return {
        kind: 'change',
        change: decodeMembershipChange(reader.blob('change')),
        ifMembershipIndex: reader.u53('membership index'),
        votersMin: reader.u53('least voters'),
      };
    case 2:
      return { kind: 'control', data: reader.blob('control entry') };
    case 3:
      return { kind: 'hand-over', to: reader.node('to') };
    case 4:
      return { kind: 'members' };
    case 5:
      return { kind: 'autopilot' };
    default:
      throw reader.refusal(`has an ask of the unknown kind ${kind}`);
  }
}

export function writeAnswer(writer: FrameWriter, answer: LeaderAnswer): void {
  switch (answer.kind) {
    case 'changed':
      writer.u8(1);
      writer.u53('index', answer.index);
      return;
    case 'appended':
      writer.u8(2);
      writer.u53('index', answer.index);
      writer.u53('term', answer.term);
      return;
    case 'handed-over':
      writer.u8(3);
      writer.u53('to', answer.to);
      writer.u53('term', answer.term);
      return;
    case 'members':
      writer.u8(4);
      writeView(writer, answer.view);
      return;
    case 'refused':
      writer.u8(5);
      writer.u8(refusals.indexOf(answer.reason));
      writer.text('refusal', answer.text, refusalTextBytesMax);
      return;
    case 'autopilot':
      writer.u8(6);
      writeView(writer, answer.view);
      writeCondition(writer, answer.condition);
      return;
    default:
      answer satisfies never;
  }
}

export function readAnswer(reader: FrameReader): LeaderAnswer {
  const kind = reader.u8('answer');
  switch (kind) {
    case 1:
      return { kind: 'changed', index: reader.u53('index') };
    case 2:
      return { kind: 'appended', index: reader.u53('index'), term: reader.u53('term') };
    case 3:
      return { kind: 'handed-over', to: reader.node('to'), term: reader.u53('term') };
    case 4:
      return { kind: 'members', view: readView(reader) };
    case 5: {
      const reason: AskRefusal = reader.oneOf('refusal', refusals, 0);
      return { kind: 'refused', reason, text: reader.text('refusal', refusalTextBytesMax) };
    }
    case 6:
      return { kind: 'autopilot', view: readView(reader), condition: readCondition(reader) };
    default:
      throw reader.refusal(`has an answer of the unknown kind ${kind}`);
  }
}

function writeView(writer: FrameWriter, view: MembersView): void {
  writer.u53('leader', view.leader);
  writer.u53('term', view.term);
  writer.u53('commit', view.commit);
  writer.u53('last index', view.lastIndex);
  writer.flag(view.isReady);
  writer.flag(view.isChangePending);
  writeMembership(writer, view.membership);
  const { roster } = view.membership;
  writer.flag(roster !== undefined);
  if (roster !== undefined) writer.blob(encodeRoster(roster));
  writer.shortCount('members', view.health.length, frameMembersMax);
  for (const { node, match, silentMs, isBehindLog } of view.health) {
    writer.u53('member', node);
    writer.u53('match', match);
    writer.flag(silentMs !== undefined);
    if (silentMs !== undefined) writer.u53('silence', silentMs);
    writer.flag(isBehindLog);
  }
}

function readView(reader: FrameReader): MembersView {
  const leader = reader.node('leader');
  const term = reader.term('term');
  const commit = reader.index('commit');
  const lastIndex = reader.index('last index');
  const isReady = reader.flag('is ready');
  const isChangePending = reader.flag('is change pending');
  const bare = readMembership(reader);
  const membership = reader.flag('has roster') ? { ...bare, roster: decodeRoster(reader.blob('roster')) } : bare;
  const health = Array.from({ length: reader.shortCount('members', frameMembersMax) }, () => ({
    node: reader.node('member'),
    match: reader.index('match'),
    silentMs: reader.flag('was heard') ? reader.u53('silence') : undefined,
    isBehindLog: reader.flag('is behind log'),
  }));
  return { leader, term, commit, lastIndex, membership, isReady, isChangePending, health };
}

function writeCondition(writer: FrameWriter, { heldBy, members }: MembersCondition): void {
  writer.text('hindrance', heldBy, refusalTextBytesMax);
  writer.shortCount('members', members.length, frameMembersMax);
  for (const { node, ailment, term, stableMs, unheardMs } of members) {
    writer.u53('member', node);
    writer.text('ailment', ailment, refusalTextBytesMax);
    writer.u53('term', term);
    writer.flag(stableMs !== undefined);
    if (stableMs !== undefined) writer.u53('stable', stableMs);
    writer.u53('silence', unheardMs);
  }
}

function readCondition(reader: FrameReader): MembersCondition {
  const heldBy = reader.text('hindrance', refusalTextBytesMax);
  const members = Array.from({ length: reader.shortCount('members', frameMembersMax) }, () => ({
    node: reader.node('member'),
    ailment: reader.text('ailment', refusalTextBytesMax),
    term: reader.u53('term'),
    stableMs: reader.flag('is stable') ? reader.u53('stable') : undefined,
    unheardMs: reader.u53('silence'),
  }));
  return { heldBy, members };
}
