import { createHash, type KeyObject } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogIndex, MountId, NodeId, rootNamespace, Term } from '@lockstep/contract/ids';
import type { SnapshotMeta } from '@lockstep/core/raft/types';
import { newKeyring } from '@lockstep/seal/keyring';
import { pooledRandom } from '@lockstep/seal/random';
import { RecordSealer } from '@lockstep/seal/record-sealer';
import fc from 'fast-check';
import { Level } from 'level';
import { afterEach, describe, expect, it } from 'vitest';
import { digestBytes, ElementHash } from './element-hash.ts';
import { digestsKept } from './limits.ts';
import { type EntryWriter, openState, type StateDb } from './state-db.ts';
import { roundest, StateHash } from './state-hash.ts';
import type { StateOptions } from './state-options.ts';

const random = pooledRandom();
const clusterId = 'c1';
const keyring = newKeyring({ clusterId, nowMs: 1, random });
const sealer = new RecordSealer({ keyring, use: 'state', random });
const hashKey = (): KeyObject => keyring.lastingKey('state-hash');
const kv = MountId('kv');
const fails = (error: unknown): never => {
  throw error;
};

const folders: string[] = [];
const opened: StateDb[] = [];
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'lockstep-integrity-'));
  folders.push(made);
  return join(made, 'state');
}
async function open(directory: string, change: Partial<StateOptions> = {}): Promise<StateDb> {
  const fixed = { directory, clusterId, values: () => sealer, hashKey, onFatal: fails, onSnapshotFailure: fails };
  const state = await openState({ ...fixed, ...change });
  opened.push(state);
  return state;
}
async function close(state: StateDb): Promise<void> {
  opened.splice(opened.indexOf(state), 1);
  await state.close();
}
afterEach(async () => {
  for (const state of opened.splice(0)) await state.close();
  for (const made of folders.splice(0)) rmSync(made, { recursive: true });
});

const apply = (state: StateDb, fold: (writer: EntryWriter) => void): void =>
  state.applyEntry(LogIndex(state.appliedIndex + 1), fold);
const put = (state: StateDb, key: string, value: string): void =>
  apply(state, (writer) => writer.mount(kv).put(key, Buffer.from(value)));
const goOn = (): Promise<'go on'> => Promise.resolve('go on');

/** Changes the closed database itself. */
async function raw(directory: string, use: (database: Level<string, Uint8Array>) => Promise<void>): Promise<void> {
  const name = readFileSync(join(directory, 'current'), 'utf8').trim();
  const database = new Level<string, Uint8Array>(join(directory, name), { valueEncoding: 'view', compression: false });
  await database.open();
  await use(database);
  await database.close();
}

/** The digest of what a plain map holds. */
function digestOf(model: ReadonlyMap<string, { value: string; version: number }>): Buffer {
  const element = new ElementHash(hashKey());
  const digest = Buffer.alloc(digestBytes);
  for (const [key, { value, version }] of model)
    element.toggle(digest, `s/root/kv/${key}`, { value: Buffer.from(value), version });
  return digest;
}

type Step =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly isUndone: boolean }
  | { readonly kind: 'delete'; readonly key: string; readonly isUndone: boolean };

const key = fc.constantFrom('a', 'b', 'c', 'd/e', 'ä', '😀');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('put' as const),
    key,
    value: fc.string({ maxLength: 30 }),
    isUndone: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('delete' as const), key, isUndone: fc.boolean() }),
);

describe('the digest that is kept', () => {
  it('is the digest of what is there, after any writes, deletions, undone transactions and restarts', async () => {
    const run = fc.record({
      entries: fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 12 }),
      restartAt: fc.nat(12),
    });
    await fc.assert(
      fc.asyncProperty(run, async ({ entries, restartAt }) => {
        const directory = folder();
        let state = await open(directory);
        const model = new Map<string, { value: string; version: number }>();
        for (const [at, steps] of entries.entries()) {
          if (at === restartAt) {
            await close(state);
            state = await open(directory);
          }
          apply(state, (writer) => {
            for (const one of steps) {
              writer.begin();
              if (one.kind === 'put') writer.mount(kv).put(one.key, Buffer.from(one.value));
              else writer.mount(kv).delete(one.key);
              if (one.isUndone) writer.rollback();
              else writer.commit();
              if (one.isUndone) continue;
              if (one.kind === 'put') model.set(one.key, { value: one.value, version: at + 1 });
              else model.delete(one.key);
            }
          });
          expect(state.integrity.digestAt(at + 1)).toEqual(digestOf(model));
        }
        expect(await state.integrity.scan(goOn)).toBe(true);
        expect(state.integrity.damage).toBeUndefined();
        await close(state);
      }),
      { numRuns: 25 },
    );
  });

  it('differs for another key, value or version, and under another cluster’s key', () => {
    const elsewhere = newKeyring({ clusterId: 'c2', nowMs: 1, random });
    const [own, other] = [new ElementHash(hashKey()), new ElementHash(elsewhere.lastingKey('state-hash'))];
    const of = (element: ElementHash, key: string, cell: { value: Uint8Array; version: number }): string => {
      const digest = Buffer.alloc(digestBytes);
      element.toggle(digest, key, cell);
      return digest.toString('hex');
    };
    const cell = { value: Buffer.from('v'), version: 2 ** 33 + 1 };
    const digests = [
      of(own, 'ab', cell),
      of(own, 'a', { ...cell, value: Buffer.from('bv') }),
      of(own, 'ab', { ...cell, value: Buffer.from('w') }),
      of(own, 'ab', { ...cell, version: 1 }),
      of(other, 'ab', cell),
    ];
    expect(new Set(digests).size).toBe(digests.length);
    expect(of(own, 'ab', cell)).toEqual(digests[0]);
    const large = { value: Buffer.alloc(300_000, 7), version: 1 };
    expect(of(own, 'large', large)).toEqual(of(new ElementHash(hashKey()), 'large', large));
  });

  it('is the envelope that it says it is', () => {
    const digest = Buffer.alloc(digestBytes);
    new ElementHash(hashKey()).toggle(digest, 'ä', { value: Buffer.from('xyz'), version: 2 ** 32 + 5 });
    const lengths = Buffer.alloc(16);
    for (const [at, number] of [2, 5, 1, 3].entries()) lengths.writeUInt32LE(number, 4 * at);
    const key = hashKey().export();
    const contents = Buffer.concat([key, lengths, Buffer.from('äxyz'), key]);
    expect(digest).toEqual(createHash('sha256').update(contents).digest());
  });

  it('is remembered for so many entries, and not for one more', () => {
    const hash = new StateHash({ digest: Buffer.alloc(digestBytes), applied: 0 });
    for (let index = 1; index <= digestsKept + 5; index++) {
      hash.change(hashKey(), `k${index}`, { before: undefined, after: { value: Buffer.of(1), version: index } });
      hash.entryEnds(index);
    }
    expect(hash.digestAt(digestsKept + 6)).toBeUndefined();
    expect(hash.digestAt(6)).toBeDefined();
    expect(hash.digestAt(5)).toBeUndefined();
    expect(hash.digestAt(digestsKept + 5)).toEqual(hash.digest);
  });

  it.each([
    [0, 0, 0],
    [5, 5, 5],
    [0, 1, 1],
    [5, 9, 8],
    [8, 15, 12],
    [1000, 1100, 1024],
    [4095, 9000, 8192],
  ])('of the entries after %d through %d is told at %d', (from, through, at) => {
    expect(roundest(from, through)).toBe(at);
  });

  it('that is not known becomes known by a scan, whatever is applied meanwhile', async () => {
    const directory = folder();
    const first = await open(directory);
    for (let n = 0; n < 40; n++) put(first, `k${n % 7}`, `v${n}`);
    await close(first);
    // As a version without digests left it: the record is missing, or is of an earlier entry.
    await raw(directory, (database) => database.del('m/digest'));
    const state = await open(directory);
    put(state, 'k1', 'before the scan');
    expect(state.integrity.isDigestKnown).toBe(false);
    expect(state.integrity.checkpoint()).toBeUndefined();
    let applied = 0;
    const pace = async (): Promise<'go on'> => {
      put(state, `k${applied % 9}`, `during ${applied++}`);
      return 'go on';
    };
    expect(await state.integrity.scan(pace)).toBe(true);
    expect(applied).toBeGreaterThan(0);
    put(state, 'k2', 'after the scan');
    expect(state.integrity.isDigestKnown).toBe(true);
    await close(state);
    const again = await open(directory);
    expect(again.integrity.isDigestKnown).toBe(true);
    expect(await again.integrity.scan(goOn)).toBe(true);
    expect(again.integrity.damage).toBeUndefined();
  });

  it('on disk counts only for the entry that it was written with', async () => {
    const directory = folder();
    const first = await open(directory);
    put(first, 'a', '1');
    await close(first);
    let old: Uint8Array | undefined;
    await raw(directory, async (database) => void (old = await database.get('m/digest')));
    const second = await open(directory);
    put(second, 'a', '2');
    await close(second);
    await raw(directory, (database) => database.put('m/digest', old ?? new Uint8Array(0)));
    expect((await open(directory)).integrity.isDigestKnown).toBe(false);
  });
});

describe('a scan', () => {
  const rows = 30;
  async function stateWith(change: (database: Level<string, Uint8Array>) => Promise<void>): Promise<StateDb> {
    const directory = folder();
    const first = await open(directory);
    for (let n = 0; n < rows; n++) put(first, `k${n}`, n % 3 === 0 ? '' : `v${n}`);
    await close(first);
    await raw(directory, change);
    return open(directory);
  }
  const at = (n: number): string => `s/root/kv/k${n}`;

  it.each<[string, (database: Level<string, Uint8Array>) => Promise<void>, RegExp]>([
    ['a key that is gone', (database) => database.del(at(4)), /not, on the disk, what was written/],
    [
      'a key too many',
      async (database) => database.put('s/root/kv/k', (await database.get(at(3))) ?? new Uint8Array(0)),
      /not, on the disk, what was written/,
    ],
    [
      'a changed version of an empty value',
      async (database) => {
        const stored = Uint8Array.from((await database.get(at(3))) ?? []);
        await database.put(at(3), stored.with(-1, (stored.at(-1) ?? 0) ^ 1));
      },
      /not, on the disk, what was written/,
    ],
    [
      'a blanked value',
      async (database) => database.put(at(4), (await database.get(at(3))) ?? new Uint8Array(0)),
      /not, on the disk, what was written/,
    ],
    [
      'a flipped bit in a value',
      async (database) => {
        const stored = Uint8Array.from((await database.get(at(4))) ?? []);
        await database.put(at(4), stored.with(-1, (stored.at(-1) ?? 0) ^ 1));
      },
      /a value of the state is not what was written|does not open/,
    ],
    [
      'a value moved to another key',
      async (database) => database.put(at(4), (await database.get(at(5))) ?? new Uint8Array(0)),
      /a value of the state is not what was written|does not open/,
    ],
  ])('finds %s', async (_name, change, message) => {
    const state = await stateWith(change);
    expect(state.integrity.damage).toBeUndefined();
    expect(await state.integrity.scan(goOn)).toBe(true);
    expect(state.integrity.damage).toMatch(message);
    expect(() => put(state, 'x', '1')).toThrow(/damaged/);
  });

  it('of a sound state finds nothing, and stops where it is told to or the node is sealed', async () => {
    const state = await stateWith(() => Promise.resolve());
    expect(await state.integrity.scan(goOn)).toBe(true);
    expect(await state.integrity.scan(() => Promise.resolve('stop'))).toBe(false);
    expect(state.integrity.damage).toBeUndefined();
    await close(state);
    const sealed = await open(folder(), { values: () => undefined, hashKey: () => undefined });
    expect(await sealed.integrity.scan(goOn)).toBe(false);
  });
});

const called = <T>(call: (done: (value: T) => void) => void): Promise<T> => new Promise((resolve) => call(resolve));

async function snapshotOf(state: StateDb): Promise<SnapshotMeta> {
  const taken = await called<{ id: string; index: LogIndex } | undefined>((done) => state.takeSnapshot(done));
  const membership = { voters: [NodeId(1)], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  return { id: taken?.id ?? '', index: taken?.index ?? LogIndex(0), term: Term(1), membership };
}

/** Brings a snapshot over and installs it. */
async function bring(from: StateDb, to: StateDb, meta: SnapshotMeta): Promise<boolean> {
  const { id } = meta;
  for (;;) {
    const offset = to.receivedBytes(id);
    const chunk = await called<{ data: Uint8Array; total: number } | undefined>((done) =>
      from.readSnapshot({ id, offset, bytesMax: 100_000 }, done),
    );
    if (chunk === undefined) throw new Error('no chunk');
    if (chunk.data.length > 0) await called((done) => to.receiveSnapshot({ id, offset, data: chunk.data }, done));
    if (to.receivedBytes(id) >= chunk.total) break;
  }
  return called((done) => to.installSnapshot(meta, done));
}

describe('a snapshot', () => {
  it('brings its digest along, to a sealed node too', async () => {
    const state = await open(folder());
    for (let n = 0; n < 20; n++) put(state, `k${n}`, `v${n}`);
    const meta = await snapshotOf(state);
    for (const sealed of [false, true]) {
      const keys = sealed ? { values: () => undefined, hashKey: () => undefined } : {};
      const other = await open(folder(), keys);
      expect(await bring(state, other, meta)).toBe(true);
      expect(other.integrity.digest).toEqual(state.integrity.digest);
    }
  });

  it('of a damaged disk is not installed, where there is a key to see it', async () => {
    const directory = folder();
    const first = await open(directory);
    for (let n = 0; n < 20; n++) put(first, `k${n}`, n === 3 ? '' : `v${n}`);
    await close(first);
    await raw(directory, (database) => database.del('s/root/kv/k4'));
    // A sealed node gives what it has.
    const state = await open(directory, { values: () => undefined, hashKey: () => undefined });
    const failures: string[] = [];
    const other = await open(folder(), { onSnapshotFailure: (error) => failures.push(String(error)) });
    expect(await bring(state, other, await snapshotOf(state))).toBe(false);
    expect(failures.join()).toMatch(/holds another state than its digest says/);
    expect(other.appliedIndex).toBe(0);
  });

  it.each([
    [
      'a record is gone',
      (database: Level<string, Uint8Array>) => database.del('s/root/kv/k4'),
      /not, on the disk, what/,
    ],
    [
      'a value is changed',
      (database: Level<string, Uint8Array>) => database.put('s/root/kv/k4', Buffer.from('changed')),
      /not what was written|a sealed record does not open/,
    ],
  ])('is not taken of a damaged disk, which is known from then on: %s', async (_, change, why) => {
    const directory = folder();
    const first = await open(directory);
    for (let n = 0; n < 20; n++) put(first, `k${n}`, `v${n}`);
    await close(first);
    await raw(directory, change);
    const [damage, failures] = [[] as string[], [] as string[]];
    const state = await open(directory, {
      onDamaged: (found) => damage.push(found),
      onSnapshotFailure: (error) => failures.push(String(error)),
    });
    expect(await called<unknown>((done) => state.takeSnapshot(done))).toBeUndefined();
    expect([damage.join(), state.integrity.damage]).toEqual([expect.stringMatching(why), expect.stringMatching(why)]);
    expect(failures.join()).toMatch(/this node's copy of the state is damaged/);
    expect(readdirSync(join(directory, 'snapshots'))).toEqual([]);
  });
});

describe('a damaged state', () => {
  it('is replaced, even by an earlier one, and is sound again after a restart', async () => {
    const [directory, damage] = [folder(), [] as string[]];
    const [good, bad] = [await open(folder()), await open(directory, { onDamaged: (why) => damage.push(why) })];
    for (const state of [good, bad]) put(state, 'a', '1');
    const meta = await snapshotOf(good);
    put(bad, 'a', '2');
    put(bad, 'b', '3');
    bad.integrity.markDamaged('it was told so');
    bad.integrity.markDamaged('once more');
    expect(damage).toEqual(['it was told so']);
    expect(bad.integrity.checkpoint()).toBeUndefined();
    expect(await called<unknown>((done) => bad.takeSnapshot(done))).toBeUndefined();
    expect(await bring(good, bad, meta)).toBe(true);
    expect([bad.appliedIndex, bad.integrity.damage]).toEqual([1, undefined]);
    expect(bad.integrity.digest).toEqual(good.integrity.digest);
    expect(bad.mountState(rootNamespace, kv).get('b')).toBeUndefined();
    put(bad, 'a', '2');
    await close(bad);
    const again = await open(directory);
    expect([again.appliedIndex, again.integrity.damage]).toEqual([2, undefined]);
    expect(await again.integrity.scan(goOn)).toBe(true);
    expect(again.integrity.damage).toBeUndefined();
  });

  it('that can’t be opened is refused, or set aside for an empty one that takes no entry', async () => {
    const directory = folder();
    const first = await open(directory);
    for (let n = 0; n < 50; n++) {
      put(first, `k${n}`, 'x'.repeat(100));
      await first.sync();
    }
    await close(first);
    const [log] = readdirSync(join(directory, 'state-1')).filter((name) => name.endsWith('.log'));
    const path = join(directory, 'state-1', log ?? '');
    const content = readFileSync(path);
    content[2000] = (content[2000] ?? 0) ^ 1;
    writeFileSync(path, content);
    await expect(open(directory)).rejects.toMatchObject({ code: 'damaged' });
    const anew = await open(directory, { mayBeginAnew: true });
    expect([anew.appliedIndex, anew.integrity.damage]).toEqual([0, expect.stringContaining('is damaged at offset')]);
    expect(() => put(anew, 'a', '1')).toThrow(/damaged/);
    await close(anew);
    const again = await open(directory);
    expect(again.integrity.damage).toContain('is damaged at offset');
    expect(existsSync(join(directory, 'set-aside'))).toBe(true);
    const good = await open(folder());
    put(good, 'a', '1');
    expect(await bring(good, again, await snapshotOf(good))).toBe(true);
    expect(again.integrity.damage).toBeUndefined();
    expect(existsSync(join(directory, 'set-aside'))).toBe(false);
  });
});
