import { LogIndex, NodeId } from '@lockstep/contract/ids';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  memberAddressBytesMax,
  memberNameBytesMax,
  memberPinBytesMax,
  rosterMembersMax,
  tombstonesMax,
} from './limits.ts';
import { decodeMembers, decodeRoster, encodeMembers, encodeRoster } from './roster-codec.ts';
import type { Member, Roster } from './types.ts';

const u53 = fc.maxSafeNat();
const node = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map(NodeId);
const text = (bytesMax: number): fc.Arbitrary<string> =>
  fc.string({ maxLength: bytesMax, unit: 'grapheme' }).filter((value) => Buffer.byteLength(value) <= bytesMax);
const member: fc.Arbitrary<Member> = fc.record({
  node,
  incarnation: u53,
  name: text(memberNameBytesMax),
  peerAddress: text(40),
  apiAddress: text(40),
  grpcAddress: text(40),
  pin: text(memberPinBytesMax),
});
const roster: fc.Arbitrary<Roster> = fc.record({
  index: u53.map(LogIndex),
  epoch: u53,
  members: fc.array(member, { maxLength: 5 }),
  removed: fc.array(fc.record({ node, pin: text(memberPinBytesMax) }), { maxLength: 5 }),
});

function one(changes: Partial<Member> = {}): Member {
  const texts = { name: 'a', peerAddress: 'a:1', apiAddress: 'https://a', grpcAddress: 'a:2', pin: 'ff' };
  return { node: NodeId(1), incarnation: 2, ...texts, ...changes };
}

describe('a record of members is refused', () => {
  test('whatever bytes it is made of, with one kind of error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (garbage) => {
        for (const bytes of [garbage, Uint8Array.of(1, ...garbage)]) {
          for (const decode of [decodeMembers, decodeRoster]) {
            try {
              decode(bytes);
            } catch (error) {
              expect(error).toMatchObject({ code: 'invalid-input' });
            }
          }
        }
      }),
    );
  });

  test('when it is cut anywhere, longer by a byte, or of a format to come', () => {
    const bytes = encodeRoster({
      index: LogIndex(3),
      epoch: 1,
      members: [one()],
      removed: [{ node: NodeId(9), pin: 'aa' }],
    });
    for (let length = 0; length < bytes.length; length += 1)
      expect(() => decodeRoster(bytes.subarray(0, length))).toThrow('is cut short');
    expect(() => decodeRoster(Uint8Array.of(...bytes, 0))).toThrow('has 1 bytes after its end');
    expect(() => decodeRoster(Uint8Array.of(2, ...bytes.subarray(1)))).toThrow(
      'has format 2, this version reads format 1',
    );
    expect(() => decodeMembers(Uint8Array.of(2, 0, 0))).toThrow('has format 2, this version reads format 1');
  });

  test('when it names node 0, or a number above 53 bits', () => {
    const bytes = encodeMembers([one()]);
    const zero = Uint8Array.from(bytes);
    zero[10] = 0;
    expect(() => decodeMembers(zero)).toThrow('names node 0');
    const high = Uint8Array.from(bytes);
    high[3] = 0x20;
    expect(() => decodeMembers(high)).toThrow('not a number of 53 bits');
  });

  test('when a text is not UTF-8', () => {
    const bytes = Uint8Array.from(encodeMembers([one({ name: 'é' })]));
    bytes[21] = 0xff;
    expect(() => decodeMembers(bytes)).toThrow('has name that is not UTF-8');
  });
});

describe('limits hold at the bound and one past it', () => {
  const texts = [
    ['name', memberNameBytesMax],
    ['peerAddress', memberAddressBytesMax],
    ['apiAddress', memberAddressBytesMax],
    ['grpcAddress', memberAddressBytesMax],
    ['pin', memberPinBytesMax],
  ] as const;
  test.each(texts)('bytes of %s', (name, max) => {
    const longest = one({ [name]: 'x'.repeat(max) });
    expect(decodeMembers(encodeMembers([longest]))).toEqual([longest]);
    expect(() => encodeMembers([one({ [name]: 'x'.repeat(max + 1) })])).toThrow(`at most ${max} are allowed`);
  });

  test('members and removed nodes', () => {
    const members = Array.from({ length: rosterMembersMax }, (_, at) => one({ node: NodeId(at + 1) }));
    expect(decodeMembers(encodeMembers(members))).toHaveLength(rosterMembersMax);
    expect(() => decodeMembers(encodeMembers([...members, one()]))).toThrow(`at most ${rosterMembersMax} are allowed`);
    const removed = Array.from({ length: tombstonesMax }, (_, at) => ({ node: NodeId(at + 1), pin: '' }));
    const full = { index: LogIndex(1), epoch: 0, members: [], removed };
    expect(decodeRoster(encodeRoster(full))).toEqual(full);
    const over = { ...full, removed: [...removed, { node: NodeId(999), pin: '' }] };
    expect(() => decodeRoster(encodeRoster(over))).toThrow(`at most ${tombstonesMax} are allowed`);
  });
});

test('what is written comes back as it was', () => {
  fc.assert(
    fc.property(roster, fc.array(member, { maxLength: 4 }), (value, members) => {
      expect(decodeRoster(encodeRoster(value))).toEqual(value);
      expect(decodeMembers(encodeMembers(members))).toEqual(members);
    }),
  );
});

test('the format of today, byte for byte: logs keep it', () => {
  const bytes = encodeRoster({
    index: LogIndex(7),
    epoch: 1,
    members: [one()],
    removed: [{ node: NodeId(9), pin: 'ab' }],
  });
  expect(Buffer.from(bytes).toString('hex')).toBe(
    '01000000000000000700000000000000010001' +
      '000000000000000100000000000000020001610003613a31000968747470733a2f2f610003613a3200026666' +
      '0001000000000000000900026162',
  );
});
