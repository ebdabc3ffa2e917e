import { decodeRoster, encodeRoster } from '../raft/roster-codec.ts';
import type { Membership, SnapshotMeta } from '../raft/types.ts';
import type { FrameReader } from './frame-reader.ts';
import type { FrameWriter } from './frame-writer.ts';
import { frameMembersMax, frameSnapshotIdBytesMax } from './limits.ts';

export function writeSnapshotMeta(writer: FrameWriter, meta: SnapshotMeta): void {
  writer.text('snapshot id', meta.id, frameSnapshotIdBytesMax);
  writer.u53('snapshot index', meta.index);
  writer.u53('snapshot term', meta.term);
  const { roster } = meta.membership;
  writeMembership(writer, meta.membership);
  if (roster !== undefined) writer.blob(encodeRoster(roster));
}

export function readSnapshotMeta(reader: FrameReader, hasRoster: boolean): SnapshotMeta {
  const id = reader.text('snapshot id', frameSnapshotIdBytesMax);
  const index = reader.index('snapshot index');
  const term = reader.term('snapshot term');
  const bare = readMembership(reader);
  const membership = hasRoster ? { ...bare, roster: decodeRoster(reader.blob('roster')) } : bare;
  return { id, index, term, membership };
}

export function writeMembership(writer: FrameWriter, membership: Membership): void {
  const { voters, votersOutgoing, learners, learnersNext } = membership;
  for (const nodes of [voters, votersOutgoing, learners, learnersNext]) {
    writer.shortCount('members', nodes.length, frameMembersMax);
    for (const node of nodes) writer.u53('member', node);
  }
  writer.flag(membership.autoLeave);
}

/** Without the roster, which stands beside it. */
export function readMembership(reader: FrameReader): Membership {
  return {
    voters: reader.nodes('voters', frameMembersMax),
    votersOutgoing: reader.nodes('outgoing voters', frameMembersMax),
    learners: reader.nodes('learners', frameMembersMax),
    learnersNext: reader.nodes('next learners', frameMembersMax),
    autoLeave: reader.flag('auto leave'),
  };
}
