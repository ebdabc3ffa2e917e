import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { ByteReader, ByteWriter } from './bytes.ts';
import {
  memberAddressBytesMax,
  memberNameBytesMax,
  memberPinBytesMax,
  rosterMembersMax,
  tombstonesMax,
} from './limits.ts';
import type { Member, Roster, Tombstone } from './types.ts';

/*
 *   context   := nothing | format:u8 count:u16 member*                  of a membership change: what is new about members
 *   roster    := format:u8 index:u53 epoch:u53 count:u16 member* count:u16 tombstone*
 *   member    := node:u53 incarnation:u53 name:str peer:str api:str grpc:str pin:str
 *   tombstone := node:u53 pin:str                                       str := length:u16 utf8, all numbers big-endian
 *
 * Logs and snapshots keep them for ever: a later format takes the next number.
 */
const format = 1;

/** The context of a change that says something new about these members. Refuses texts and counts beyond the limits. */
export function encodeMembers(members: readonly Member[]): Uint8Array {
  if (members.length === 0) return new Uint8Array(0);
  const writer = new ByteWriter();
  writer.u8(format);
  writeMembers(writer, members);
  return writer.bytes();
}

/** Refuses everything that `encodeMembers` does not write. */
export function decodeMembers(context: Uint8Array): readonly Member[] {
  if (context.length === 0) return [];
  const reader = readerOf('membership context', context);
  const members = readMembers(reader);
  reader.end();
  return members;
}

export function encodeRoster(roster: Roster): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(format);
  writer.u53(roster.index);
  writer.u53(roster.epoch);
  writeMembers(writer, roster.members);
  writer.u16(roster.removed.length);
  for (const { node, pin } of roster.removed) {
    writer.u53(node);
    writer.text('pin', pin, memberPinBytesMax);
  }
  return writer.bytes();
}

/** Refuses everything that `encodeRoster` does not write. */
export function decodeRoster(bytes: Uint8Array): Roster {
  const reader = readerOf('roster', bytes);
  const index = LogIndex(reader.u53('index'));
  const epoch = reader.u53('epoch');
  const members = readMembers(reader);
  const removed: Tombstone[] = [];
  for (let left = reader.count('removed nodes', tombstonesMax); left > 0; left -= 1) {
    removed.push({ node: nodeOf(reader), pin: reader.text('pin', memberPinBytesMax) });
  }
  reader.end();
  return { index, epoch, members, removed };
}

function readerOf(what: string, bytes: Uint8Array): ByteReader {
  const reader = new ByteReader(what, bytes);
  const found = reader.u8();
  if (found !== format) throw reader.refusal(`has format ${found}, this version reads format ${format}`);
  return reader;
}

function writeMembers(writer: ByteWriter, members: readonly Member[]): void {
  writer.u16(members.length);
  for (const member of members) {
    writer.u53(member.node);
    writer.u53(member.incarnation);
    writer.text('name', member.name, memberNameBytesMax);
    writer.text('peer address', member.peerAddress, memberAddressBytesMax);
    writer.text('api address', member.apiAddress, memberAddressBytesMax);
    writer.text('grpc address', member.grpcAddress, memberAddressBytesMax);
    writer.text('pin', member.pin, memberPinBytesMax);
  }
}

function readMembers(reader: ByteReader): readonly Member[] {
  const members: Member[] = [];
  for (let left = reader.count('members', rosterMembersMax); left > 0; left -= 1) {
    const node = nodeOf(reader);
    const incarnation = reader.u53('incarnation');
    members.push({
      node,
      incarnation,
      name: reader.text('name', memberNameBytesMax),
      peerAddress: reader.text('peer address', memberAddressBytesMax),
      apiAddress: reader.text('api address', memberAddressBytesMax),
      grpcAddress: reader.text('grpc address', memberAddressBytesMax),
      pin: reader.text('pin', memberPinBytesMax),
    });
  }
  return members;
}

function nodeOf(reader: ByteReader): NodeId {
  const node = reader.u53('node');
  if (node === 0) throw reader.refusal('names node 0, which is no node');
  return NodeId(node);
}
