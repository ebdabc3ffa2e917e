import { expect, test } from 'vitest';
import { checkHistory, type ClientOperation, type ObjectModel } from './history.ts';
import { type RegisterInput, type RegisterOutput, uniqueRegister } from './versioned-register.ts';

type Input = { readonly kind: 'read' } | { readonly kind: 'write'; readonly value: string };
type Operation = ClientOperation<Input, string>;

/** A register: a read gives what was written last, a write gives nothing. */
const register: ObjectModel<Input, string, string> = {
  initial: '',
  step: (state, input, output) => {
    if (input.kind === 'write') return input.value;
    return output === undefined || output === state ? state : undefined;
  },
  keyOf: (state) => state,
};

function write(key: string, value: string, at: readonly [number, number?]): Operation {
  const output = at[1] === undefined ? undefined : '';
  return { client: 'writer', key, calledAt: at[0], returnedAt: at[1], input: { kind: 'write', value }, output };
}

function read(key: string, value: string, at: readonly [number, number]): Operation {
  return { client: 'reader', key, calledAt: at[0], returnedAt: at[1], input: { kind: 'read' }, output: value };
}

test('a stale read is found, with its key and the read itself', () => {
  const stale = read('a', '1', [6, 7]);
  const history = [write('a', '1', [0, 1]), write('a', '2', [2, 3]), read('b', '', [4, 5]), stale];
  expect(checkHistory(history, register)).toEqual({
    keys: 2,
    operations: 4,
    unknown: 0,
    violations: [{ key: 'a', stuckAt: stale }],
    undecided: [],
  });
});

test('keys are held to the model each by itself, though their operations are one list', () => {
  const history = [write('a', '1', [0, 1]), read('b', '', [2, 3]), write('b', '1', [4, 5]), read('a', '1', [6, 7])];
  expect(checkHistory(history, register)).toMatchObject({ keys: 2, violations: [], undecided: [] });
});

test('a write whose outcome is unknown stays open: a read long after may see it, and none may unsee it', () => {
  const lost = write('a', '1', [0]);
  const seen = [lost, read('a', '', [5, 6]), read('a', '1', [100, 101])];
  expect(checkHistory(seen, register)).toMatchObject({ unknown: 1, violations: [] });
  const unseen = read('a', '', [102, 103]);
  expect(checkHistory([...seen, unseen], register).violations).toEqual([{ key: 'a', stuckAt: unseen }]);
});

test('a key whose search is given up is named, and is no pass', () => {
  const open = Array.from({ length: 30 }, (_, n) => write('a', `${n}`, [n]));
  const { undecided } = checkHistory([...open, read('a', 'nobody wrote it', [100, 101])], register, 50);
  expect(undecided).toEqual(['a']);
});

type RegisterStep = ClientOperation<RegisterInput, RegisterOutput>;

/** What a real register did: of the writes whose answer was lost half took effect. Every operation overlaps a few others. */
function longHistory(count: number): readonly RegisterStep[] {
  let [version, value] = [0, ''];
  return Array.from({ length: count }, (_, n): RegisterStep => {
    const [calledAt, returnedAt] = [3 * n - ((n * 7) % 11), 3 * n + ((n * 5) % 13)];
    const at = { client: `c${n % 8}`, key: 'k', calledAt };
    if (n % 2 === 0) return { ...at, returnedAt, input: { kind: 'read' }, output: { kind: 'found', version, value } };
    const input = { kind: 'write', value: `v${n}` } as const;
    const isLost = n % 10 === 1;
    if (!isLost || n % 20 === 1) [version, value] = [version + 1, input.value];
    return {
      ...at,
      ...(isLost
        ? { returnedAt: undefined, input, output: undefined }
        : { returnedAt, input, output: { kind: 'written', version } }),
    };
  });
}

test('a long history with a tenth of its outcomes unknown is decided, in order or not', () => {
  const history = longHistory(3000);
  expect(checkHistory(history, uniqueRegister, 20_000)).toMatchObject({ unknown: 300, violations: [], undecided: [] });
  const stale: RegisterStep = {
    client: 'late',
    key: 'k',
    calledAt: 1e6,
    returnedAt: 1e6 + 1,
    input: { kind: 'read' },
    output: { kind: 'found', version: 1, value: 'v1' },
  };
  expect(checkHistory([...history, stale], uniqueRegister, 500_000).violations).toEqual([{ key: 'k', stuckAt: stale }]);
});

test('a check-and-set of unknown outcome that was seen has won, so that another one with the same version has not', () => {
  const cas = (client: string, value: string): RegisterStep => ({
    client,
    key: 'k',
    calledAt: 0,
    returnedAt: undefined,
    input: { kind: 'check-and-set', expected: 0, value },
    output: undefined,
  });
  const found = (value: string, at: number): RegisterStep => ({
    client: 'reader',
    key: 'k',
    calledAt: at,
    returnedAt: at + 1,
    input: { kind: 'read' },
    output: { kind: 'found', version: 1, value },
  });
  const both = [cas('a', 'x'), cas('b', 'y'), found('x', 2)];
  expect(checkHistory(both, uniqueRegister).violations).toEqual([]);
  expect(checkHistory([...both, found('y', 4)], uniqueRegister).violations).toHaveLength(1);
});

test.each<[string, RegisterInput, RegisterOutput]>([
  ['a read that wrote', { kind: 'read' }, { kind: 'written', version: 1 }],
  ['a write that found', { kind: 'write', value: 'x' }, { kind: 'found', version: 1, value: 'x' }],
  ['a write that was refused for its version', { kind: 'write', value: 'x' }, { kind: 'mismatch' }],
])('%s is an outcome that no register has', (_name, input, output) => {
  const history = [{ client: 'a', key: 'k', calledAt: 0, returnedAt: 1, input, output }];
  expect(checkHistory(history, uniqueRegister).violations).toHaveLength(1);
});
