import { NodeId } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { membershipContextBytesMax, membershipStepsMax } from './limits.ts';
import { decodeMembershipChange, encodeMembershipChange } from './membership-codec.ts';
import type { MembershipChange, MembershipStep } from './types.ts';

const step: MembershipStep = { kind: 'add-voter', node: NodeId(7) };
const withSteps = (count: number): MembershipChange => ({
  transition: 'joint-implicit',
  steps: Array.from({ length: count }, () => step),
  context: new Uint8Array(0),
});
const withContext = (bytes: number): MembershipChange => ({
  transition: 'auto',
  steps: [],
  context: new Uint8Array(bytes),
});

describe('a membership entry is refused', () => {
  const node7 = [0, 0, 0, 0, 0, 0, 0, 7];
  const cases: readonly (readonly [string, readonly number[], string])[] = [
    ['that is empty', [], 'cut short'],
    ['that ends in its head', [1, 0], 'cut short'],
    ['that ends in a step', [1, 0, 1, 0, 0], 'cut short'],
    ['of a later format', [2, 0, 0], 'format 2'],
    ['with an unknown transition', [1, 3, 0], 'unknown transition 3'],
    ['with an unknown step', [1, 0, 1, 4, ...node7], 'unknown step 4'],
    ['that names node 0', [1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 'node 0'],
    ['that names a node of more than 53 bits', [1, 0, 1, 0, 0, 0x20, 0, 0, 0, 0, 0, 0], '53 bits'],
  ];
  for (const [claim, bytes, rule] of cases) {
    test(claim, () => {
      expect(() => decodeMembershipChange(Uint8Array.from(bytes))).toThrow(
        expect.objectContaining({ code: 'invalid-input' }),
      );
      expect(() => decodeMembershipChange(Uint8Array.from(bytes))).toThrow(rule);
    });
  }

  test('with one step too many, both ways', () => {
    expect(() => encodeMembershipChange(withSteps(membershipStepsMax + 1))).toThrow('steps');
    const bytes = Uint8Array.from([
      1,
      0,
      membershipStepsMax + 1,
      ...Array.from({ length: membershipStepsMax + 1 }, () => [0, ...node7]).flat(),
    ]);
    expect(() => decodeMembershipChange(bytes)).toThrow('steps');
  });

  test('with one byte of context too many, both ways', () => {
    expect(() => encodeMembershipChange(withContext(membershipContextBytesMax + 1))).toThrow('context');
    expect(() =>
      decodeMembershipChange(Uint8Array.from([1, 0, 0, ...new Uint8Array(membershipContextBytesMax + 1)])),
    ).toThrow('context');
  });

  test('to write when it names node 0', () => {
    const steps: readonly MembershipStep[] = [{ kind: 'remove', node: NodeId(0) }];
    expect(() => encodeMembershipChange({ transition: 'auto', steps, context: new Uint8Array(0) })).toThrow('node 0');
  });
});

describe('a membership entry', () => {
  test('is read as it was written', () => {
    const change: MembershipChange = {
      transition: 'joint-explicit',
      steps: [
        { kind: 'add-voter', node: NodeId(Number.MAX_SAFE_INTEGER) },
        { kind: 'add-learner', node: NodeId(2) },
        { kind: 'remove', node: NodeId(1) },
        { kind: 'update', node: NodeId(256) },
      ],
      context: Uint8Array.from([9, 8, 7]),
    };
    expect(decodeMembershipChange(encodeMembershipChange(change))).toEqual(change);
  });

  test('holds as many steps and as much context as the limits allow', () => {
    expect(decodeMembershipChange(encodeMembershipChange(withSteps(membershipStepsMax)))).toEqual(
      withSteps(membershipStepsMax),
    );
    const change = withContext(membershipContextBytesMax);
    expect(decodeMembershipChange(encodeMembershipChange(change))).toEqual(change);
  });

  test('keeps its bytes for ever', () => {
    const change: MembershipChange = {
      transition: 'joint-implicit',
      steps: [{ kind: 'remove', node: NodeId(258) }],
      context: Uint8Array.from([5]),
    };
    expect([...encodeMembershipChange(change)]).toEqual([1, 1, 1, 2, 0, 0, 0, 0, 0, 0, 1, 2, 5]);
  });
});
