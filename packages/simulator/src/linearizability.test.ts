import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkLinearizable, type HistoryOperation } from './linearizability.ts';
import { type RegisterOperation, type RegisterState, versionedRegister } from './versioned-register.ts';

type Step = HistoryOperation<RegisterOperation>;

const at = (calledAt: number, returnedAt: number | undefined, operation: RegisterOperation): Step => ({
  calledAt,
  returnedAt,
  operation,
});
const write = (value: string, version?: number): RegisterOperation => ({ kind: 'write', value, version });
const read = (version: number, value: string): RegisterOperation => ({ kind: 'read', version, value });
const set = (expected: number, value: string, version?: number): RegisterOperation => ({
  kind: 'check-and-set',
  expected,
  value,
  version,
});
const verdictOf = (...history: readonly Step[]): string => checkLinearizable(history, versionedRegister, 100_000).kind;

describe('a history is linearizable', () => {
  test.each<[string, readonly Step[]]>([
    ['nothing happened', []],
    ['one after the other', [at(0, 1, write('a', 1)), at(2, 3, read(1, 'a')), at(4, 5, set(1, 'b', 2))]],
    ['a read during a write sees it', [at(0, 9, write('a', 1)), at(2, 3, read(1, 'a'))]],
    ['a read during a write does not see it', [at(0, 9, write('a', 1)), at(2, 3, read(0, ''))]],
    ['an unknown write is seen', [at(0, undefined, write('a')), at(5, 6, read(1, 'a'))]],
    ['an unknown write is never seen', [at(0, undefined, write('a')), at(5, 6, read(0, ''))]],
    ['an unknown write comes late', [at(0, undefined, write('a')), at(5, 6, read(0, '')), at(7, 8, read(1, 'a'))]],
    ['an unknown write explains a version', [at(0, undefined, write('a')), at(5, 6, write('b', 2))]],
    ['two overlap', [at(0, 9, write('a', 2)), at(1, 8, write('b', 1)), at(10, 11, read(2, 'a'))]],
    ['a mismatch by a write under way', [at(0, 9, write('a', 1)), at(1, 2, { kind: 'mismatch', expected: 0 })]],
  ])('%s', (_name, history) => {
    expect(verdictOf(...history)).toBe('linearizable');
  });
});

describe('a history is not linearizable', () => {
  test.each<[string, readonly Step[]]>([
    ['a stale read', [at(0, 1, write('a', 1)), at(2, 3, read(0, ''))]],
    ['a lost write', [at(0, 1, write('a', 1)), at(2, 3, write('b', 2)), at(4, 5, read(1, 'a'))]],
    ['a read that goes back', [at(0, 9, write('a', 1)), at(1, 2, read(1, 'a')), at(3, 4, read(0, ''))]],
    ['a write that was done twice', [at(0, 1, write('a', 1)), at(2, 3, read(2, 'a'))]],
    ['an unknown write that takes effect twice', [at(0, undefined, write('a')), at(2, 3, write('b', 3))]],
    ['an unknown write seen before it was called', [at(0, 1, read(1, 'a')), at(2, undefined, write('a'))]],
    ['two winners of one check-and-set', [at(0, 9, set(0, 'a', 1)), at(1, 8, set(0, 'b', 1))]],
    ['a mismatch without a write', [at(0, 1, { kind: 'mismatch', expected: 0 })]],
    [
      'two reads that saw two orders',
      [at(0, 9, write('a', 1)), at(0, 9, write('b', 2)), at(1, 2, read(2, 'b')), at(3, 4, read(1, 'a'))],
    ],
  ])('%s', (_name, history) => {
    expect(verdictOf(...history)).toBe('violation');
  });

  test('and the verdict names what could not be explained', () => {
    const stale = at(4, 5, read(1, 'a'));
    const history = [at(0, 1, write('a', 1)), at(2, 3, write('b', 2)), stale, at(6, 7, read(2, 'b'))];
    expect(checkLinearizable(history, versionedRegister, 1000)).toMatchObject({ kind: 'violation', stuckAt: stale });
  });
});

test('a search that takes too long says that it proves nothing', () => {
  const open = Array.from({ length: 30 }, (_, n) => at(n, undefined, write(`v${n}`)));
  const history = [...open, at(100, 101, read(31, 'v1'))];
  expect(checkLinearizable(history, versionedRegister, 50)).toEqual({ kind: 'undecided' });
});

/** A history of a real register: each operation takes effect at an instant between its call and its return. */
const honest = fc
  .array(
    fc.record({
      effectAt: fc.integer({ min: 0, max: 400 }),
      before: fc.integer({ min: 0, max: 20 }),
      after: fc.integer({ min: 0, max: 20 }),
      what: fc.constantFrom('read', 'write', 'set', 'lost', 'never'),
    }),
    { maxLength: 60 },
  )
  .map((drawn): readonly Step[] => {
    let state: RegisterState = versionedRegister.initial;
    return drawn
      .toSorted((a, b) => a.effectAt - b.effectAt)
      .map(({ effectAt, before, after, what }, number): Step => {
        const [calledAt, returnedAt] = [effectAt - before, effectAt + after];
        const value = `v${number}`;
        if (what === 'read') return at(calledAt, returnedAt, read(state.version, state.value));
        if (what === 'never') return at(calledAt, undefined, write(value));
        const { version } = state;
        state = { version: version + 1, value };
        if (what === 'lost') return at(calledAt, undefined, write(value));
        return at(calledAt, returnedAt, what === 'set' ? set(version, value, version + 1) : write(value, version + 1));
      });
  });

test('every history of a real register is accepted', () => {
  const property = fc.property(honest, (history) => verdictOf(...history) === 'linearizable');
  fc.assert(property, { numRuns: 200 });
});

test('a read that goes back behind what was acknowledged is found', () => {
  const isAcknowledged = ({ operation, returnedAt }: Step): boolean =>
    (operation.kind === 'write' || operation.kind === 'check-and-set') && returnedAt !== undefined;
  const spoiled = honest
    .filter((history) => history.some(isAcknowledged))
    .map((history) => [...history, at(1000, 1001, read(0, ''))]);
  const property = fc.property(spoiled, (history) => verdictOf(...history) === 'violation');
  fc.assert(property, { numRuns: 100 });
});
