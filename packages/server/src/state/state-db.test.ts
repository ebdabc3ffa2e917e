import type { KeyObject } from 'node:crypto';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogIndex, MountId, NamespaceId, NodeId, rootNamespace, Term } from '@lockstep/contract/ids';
import { memoise, type ReadableState } from '@lockstep/contract/state';
import type { SnapshotMeta } from '@lockstep/core/raft/types';
import { Keyring, newKeyring } from '@lockstep/seal/keyring';
import { pooledRandom } from '@lockstep/seal/random';
import { RecordSealer } from '@lockstep/seal/record-sealer';
import fc from 'fast-check';
import { Level } from 'level';
import { afterEach, describe, expect, it } from 'vitest';
import { buildFromSnapshot } from './install-snapshot.ts';
import { keyBytesMax, keysPerRangeMax, valueBytesMax } from './limits.ts';
import { type EntryWriter, openState, type StateDb } from './state-db.ts';
import type { StateOptions } from './state-options.ts';
import { pointTo } from './state-directory.ts';

const random = pooledRandom();
const clusterId = 'c1';
const keyring: Keyring = newKeyring({ clusterId, nowMs: 1, random });
const sealer = new RecordSealer({ keyring, use: 'state', random });
const hashKey = (): KeyObject => keyring.lastingKey('state-hash');
const kv = MountId('kv');
const fails = (error: unknown): never => {
  throw error;
};

const folders: string[] = [];
const opened: StateDb[] = [];
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'lockstep-state-'));
  folders.push(made);
  return join(made, 'state');
};
async function open(directory: string, change: Partial<StateOptions> = {}): Promise<StateDb> {
  const options = {
    directory,
    clusterId,
    values: () => sealer,
    hashKey,
    onFatal: fails,
    onSnapshotFailure: fails,
    ...change,
  };
  const state = await openState(options);
  opened.push(state);
  return state;
}
afterEach(async () => {
  for (const state of opened.splice(0)) await state.close();
  for (const made of folders.splice(0)) rmSync(made, { recursive: true });
});

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString();
const kvOf = (state: StateDb): ReadableState => state.mountState(rootNamespace, kv);
const apply = (state: StateDb, fold: (writer: EntryWriter) => void): void =>
  state.applyEntry(LogIndex(state.appliedIndex + 1), fold);
const put = (state: StateDb, entries: Readonly<Record<string, string>>): void =>
  apply(state, (writer) => {
    for (const [key, value] of Object.entries(entries)) writer.mount(kv).put(key, Buffer.from(value));
  });
const called = <T>(call: (done: (value: T) => void) => void): Promise<T> => new Promise((resolve) => call(resolve));
const snapshotOf = async (state: StateDb): Promise<SnapshotMeta> => {
  const taken = await called<{ id: string; index: LogIndex } | undefined>((done) => state.takeSnapshot(done));
  const membership = {
    voters: [NodeId(1), NodeId(2)],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
    roster: { index: LogIndex(1), epoch: 0, members: [], removed: [{ node: NodeId(3), pin: 'ab' }] },
  };
  return { id: taken!.id, index: taken!.index, term: Term(3), membership };
};
/** Brings a snapshot's bytes over, in chunks. */
async function bring(
  id: string,
  from: StateDb,
  to: StateDb,
  change = (data: Uint8Array): Uint8Array => data,
): Promise<void> {
  for (;;) {
    const offset = to.receivedBytes(id);
    const chunk = await called<{ data: Uint8Array; total: number } | undefined>((done) =>
      from.readSnapshot({ id, offset, bytesMax: 1000 }, done),
    );
    if (chunk!.data.length > 0)
      expect(await called((done) => to.receiveSnapshot({ id, offset, data: change(chunk!.data) }, done))).toBe(true);
    if (to.receivedBytes(id) >= chunk!.total) return;
  }
}
const install = (state: StateDb, meta: SnapshotMeta): Promise<boolean> =>
  called((done) => state.installSnapshot(meta, done));
/** Opens the closed database itself. */
async function raw<R>(directory: string, use: (database: Level<string, Uint8Array>) => Promise<R>): Promise<R> {
  const name = readFileSync(join(directory, 'current'), 'utf8').trim();
  const database = new Level<string, Uint8Array>(join(directory, name), { valueEncoding: 'view', compression: false });
  await database.open();
  const result = await use(database);
  await database.close();
  return result;
}

describe('one entry', () => {
  it('must follow the one before', async () => {
    const state = await open(folder());
    expect(() => state.applyEntry(LogIndex(2), () => undefined)).toThrow(/entry 2 is applied after 0/);
    put(state, {});
    expect(() => state.applyEntry(LogIndex(1), () => undefined)).toThrow(/entry 1 is applied after 1/);
  });

  it('is seen by reads at once, and is there after a restart', async () => {
    const directory = folder();
    const state = await open(directory);
    put(state, { a: 'one', empty: '' });
    expect([text(kvOf(state).get('a')), text(kvOf(state).get('empty')), kvOf(state).get('none')]).toEqual([
      'one',
      '',
      undefined,
    ]);
    put(state, { a: 'two' });
    expect(text(kvOf(state).get('a'))).toBe('two');
    await opened.pop()!.close();
    const again = await open(directory);
    expect(again.appliedIndex).toBe(2);
    expect([text(kvOf(again).get('a')), text(kvOf(again).get('empty'))]).toEqual(['two', '']);
  });

  it('a transaction that is rolled back leaves nothing, those beside it stay', async () => {
    const state = await open(folder());
    put(state, { kept: 'old', gone: 'old' });
    apply(state, (writer) => {
      const mount = writer.mount(kv);
      mount.put('time', Buffer.from('1'));
      writer.begin();
      mount.put('kept', Buffer.from('first'));
      writer.commit();
      writer.begin();
      mount.put('kept', Buffer.from('second'));
      mount.put('kept', Buffer.from('third'));
      mount.put('new', Buffer.from('x'));
      mount.delete('gone');
      mount.delete('time');
      expect([text(mount.get('kept')), mount.get('gone'), writer.version(kv, 'gone')]).toEqual(['third', undefined, 0]);
      writer.rollback();
      expect([text(mount.get('kept')), text(mount.get('gone')), mount.get('new')]).toEqual(['first', 'old', undefined]);
      expect([writer.version(kv, 'kept'), writer.version(kv, 'gone'), writer.version(kv, 'new')]).toEqual([2, 1, 0]);
    });
    expect(await kvOf(state).keys({ prefix: '', limit: 10 })).toEqual(['gone', 'kept', 'time']);
    expect(text(kvOf(state).get('kept'))).toBe('first');
  });

  it('whose fold throws did not happen', async () => {
    const state = await open(folder());
    const boom = new Error('boom');
    expect(() =>
      apply(state, (writer) => {
        writer.mount(kv).put('a', Buffer.from('x'));
        throw boom;
      }),
    ).toThrow(boom);
    expect([state.appliedIndex, kvOf(state).get('a')]).toEqual([0, undefined]);
  });

  it('has its transactions one after the other', async () => {
    const state = await open(folder());
    expect(() => apply(state, (writer) => writer.commit())).toThrow(/after it began/);
    expect(() => apply(state, (writer) => writer.rollback())).toThrow(/after it began/);
    expect(() => apply(state, (writer) => (writer.begin(), writer.begin()))).toThrow(/has ended/);
    expect(() => apply(state, (writer) => writer.begin())).toThrow(/ends after its transactions/);
  });

  it('on a sealed node is refused, and so are reads', async () => {
    let isSealed = false;
    const state = await open(folder(), { values: () => (isSealed ? undefined : sealer) });
    put(state, { a: 'x' });
    isSealed = true;
    const sealed = expect.objectContaining({ code: 'sealed' });
    expect(() => put(state, { a: 'y' })).toThrow(sealed);
    expect(() => kvOf(state).get('a')).toThrow(sealed);
    expect(() => kvOf(state).version('a')).toThrow(sealed);
    state.forgetPlaintext();
    isSealed = false;
    expect([text(kvOf(state).get('a')), state.appliedIndex]).toEqual(['x', 1]);
  });
});

describe('bounds of keys and values', () => {
  const refusal = async (key: string, value: Uint8Array): Promise<unknown> => {
    const state = await open(folder());
    try {
      apply(state, (writer) => writer.mount(kv).put(key, value));
    } catch (error) {
      return error;
    }
    return kvOf(state).get(key)?.length;
  };

  it('a key has 1 to keyBytesMax bytes of well-formed text', async () => {
    expect(await refusal('', Buffer.from('x'))).toMatchObject({ code: 'invalid-input' });
    expect(await refusal('a\ud800', Buffer.from('x'))).toMatchObject({ code: 'invalid-input' });
    expect(await refusal('é'.repeat(keyBytesMax / 2), Buffer.from('x'))).toBe(1);
    expect(await refusal(`${'é'.repeat(keyBytesMax / 2)}a`, Buffer.from('x'))).toMatchObject({ code: 'too-large' });
  });

  it('a value has up to valueBytesMax bytes', async () => {
    expect(await refusal('k', Buffer.alloc(valueBytesMax))).toBe(valueBytesMax);
    expect(await refusal('k', Buffer.alloc(valueBytesMax + 1))).toMatchObject({ code: 'too-large' });
  });

  it('a lone surrogate reads as absent, not as the key that it would become on disk', async () => {
    const state = await open(folder());
    put(state, { 'a\ufffd': 'x' });
    await state.sync();
    expect(kvOf(state).get('a\ud800')).toBeUndefined();
  });

  it('ids of namespaces and mounts hold no slash', async () => {
    const state = await open(folder());
    expect(() => state.mountState(NamespaceId('a/b'), kv)).toThrow(/no id/);
    expect(() => state.mountState(rootNamespace, MountId(''))).toThrow(/no id/);
  });
});

describe('reads', () => {
  it('a version is the index of the last write, for empty values too, on disk and before it', async () => {
    const directory = folder();
    const state = await open(directory);
    put(state, { a: '1', index: '' });
    put(state, { b: '1' });
    put(state, { a: '2' });
    const versions = (of: StateDb): number[] => ['a', 'b', 'index', 'none'].map((key) => kvOf(of).version(key));
    expect(versions(state)).toEqual([3, 2, 1, 0]);
    await opened.pop()!.close();
    const again = await open(directory);
    expect(versions(again)).toEqual([3, 2, 1, 0]);
    apply(again, (writer) => {
      writer.mount(kv).delete('a');
      writer.mount(kv).put('b', Buffer.alloc(0));
    });
    expect(versions(again)).toEqual([0, 4, 1, 0]);
  });

  it('give the same array while a value is unchanged, and another when it is not', async () => {
    const state = await open(folder());
    put(state, { a: 'one', b: 'x' });
    await state.sync();
    let parses = 0;
    const parse = memoise((bytes) => ({ n: ++parses, text: text(bytes) }));
    const read = (): unknown => parse(kvOf(state).get('a')!);
    expect(read()).toBe(read());
    put(state, { b: 'y' });
    expect(read()).toEqual({ n: 1, text: 'one' });
    put(state, { a: 'two' });
    expect(read()).toEqual({ n: 2, text: 'two' });
    await state.sync();
    expect(read()).toEqual({ n: 2, text: 'two' });
  });

  it('of one mount or namespace never see another', async () => {
    const state = await open(folder());
    const other = MountId('kv2');
    const tenant = NamespaceId('tenant');
    apply(state, (writer) => {
      writer.mount(kv).put('a', Buffer.from('kv'));
      writer.mount(other).put('a', Buffer.from('kv2'));
      writer.mount(kv, tenant).put('a', Buffer.from('tenant'));
    });
    const keys = await Promise.all(
      [kvOf(state), state.mountState(rootNamespace, other), state.mountState(tenant, kv)].map(async (mount) => [
        text(mount.get('a')),
        await mount.keys({ prefix: '', limit: 9 }),
      ]),
    );
    expect(keys).toEqual([
      ['kv', ['a']],
      ['kv2', ['a']],
      ['tenant', ['a']],
    ]);
  });

  it('ranges are in byte order, from a key on, within a prefix, up to a limit', async () => {
    const state = await open(folder());
    put(state, { 'p/a': '', 'p/\u{10ffff}x': '', 'p/\uff5e': '', p: '', p0: '', 'p/': '' });
    const all = ['p/', 'p/a', 'p/\uff5e', 'p/\u{10ffff}x'];
    expect(await kvOf(state).keys({ prefix: 'p/', limit: 10 })).toEqual(all);
    await state.sync();
    expect(await kvOf(state).keys({ prefix: 'p/', limit: 10 })).toEqual(all);
    expect(await kvOf(state).keys({ prefix: 'p/', limit: 2 })).toEqual(all.slice(0, 2));
    expect(await kvOf(state).keys({ prefix: 'p/', from: 'p/b', limit: 10 })).toEqual(all.slice(2));
    expect(await kvOf(state).keys({ prefix: 'p/', from: 'q', limit: 10 })).toEqual([]);
    expect(await kvOf(state).keys({ prefix: 'p/', from: 'a', limit: 10 })).toEqual(all);
    expect(await kvOf(state).keys({ prefix: 'p/', limit: 0 })).toEqual([]);
    expect(await kvOf(state).keys({ prefix: '', limit: keysPerRangeMax })).toHaveLength(6);
    await expect(kvOf(state).keys({ prefix: '', limit: keysPerRangeMax + 1 })).rejects.toMatchObject({
      code: 'invalid-input',
    });
  });

  it('agree with a plain map, whatever is written and whenever it reaches the disk', async () => {
    const key = fc.constantFrom('a', 'b', 'b/1', 'b/2', 'c', 'é');
    const write = fc.tuple(key, fc.option(fc.string({ maxLength: 4 }), { nil: undefined }));
    const entry = fc.record({ writes: fc.array(write, { maxLength: 5 }), sync: fc.boolean(), reopen: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 12 }), async (entries) => {
        const directory = folder();
        let state = await open(directory);
        const model = new Map<string, { value: string; version: number }>();
        for (const { writes, sync, reopen } of entries) {
          apply(state, (writer) => {
            for (const [k, v] of writes) {
              if (v === undefined) writer.mount(kv).delete(k);
              else writer.mount(kv).put(k, Buffer.from(v));
            }
          });
          for (const [k, v] of writes) {
            if (v === undefined) model.delete(k);
            else model.set(k, { value: v, version: state.appliedIndex });
          }
          if (sync) await state.sync();
          if (reopen) {
            await opened.pop()!.close();
            state = await open(directory);
          }
          const keys = [...model.keys()].toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
          expect(await kvOf(state).keys({ prefix: '', limit: 100 })).toEqual(keys);
          expect(await kvOf(state).keys({ prefix: 'b', limit: 2 })).toEqual(
            keys.filter((k) => k.startsWith('b')).slice(0, 2),
          );
          for (const k of ['a', 'b', 'b/1', 'b/2', 'c', 'é']) {
            expect(text(kvOf(state).get(k))).toBe(model.get(k)?.value);
            expect(kvOf(state).version(k)).toBe(model.get(k)?.version ?? 0);
          }
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe('on disk', () => {
  it('no value is readable, and none can be moved to another key or changed', async () => {
    const directory = folder();
    const state = await open(directory);
    put(state, { poor: 'role: none', rich: 'role: everything' });
    await opened.pop()!.close();
    const bytes = readdirSync(join(directory, 'state-1'))
      .map((name) => readFileSync(join(directory, 'state-1', name)))
      .map((content) => content.includes('everything'));
    expect(bytes).not.toContain(true);
    await raw(directory, async (database) => {
      const rich = (await database.get('s/root/kv/rich'))!;
      await database.put('s/root/kv/poor', rich);
      await database.put('s/root/kv/rich', rich.with(-1, rich.at(-1)! ^ 1));
    });
    const again = await open(directory);
    // Who comes upon it is told to ask another node, as everybody after.
    expect(() => kvOf(again).get('poor')).toThrow(expect.objectContaining({ code: 'unavailable' }));
    expect(() => kvOf(again).get('rich')).toThrow(expect.objectContaining({ code: 'unavailable' }));
  });

  it('a value that does not open is found by apply, before anything is stored, and the state takes no entry any more', async () => {
    const directory = folder();
    put(await open(directory), { a: '1' });
    await opened.pop()!.close();
    await raw(directory, async (database) => {
      const stored = (await database.get('s/root/kv/a'))!;
      await database.put('s/root/kv/a', stored.with(-1, stored.at(-1)! ^ 1));
    });
    const damage: string[] = [];
    const state = await open(directory, { onDamaged: (why) => damage.push(why) });
    const swallowing = (writer: EntryWriter): void => {
      try {
        writer.mount(kv).get('a');
      } catch {
        writer.mount(kv).put('faulted', Buffer.from('yes'));
      }
    };
    expect(() => apply(state, swallowing)).toThrow(/copy of the state is damaged/);
    expect(() => put(state, { b: '1' })).toThrow(/copy of the state is damaged/);
    expect(() => kvOf(state).get('none')).toThrow(/ask another node/);
    await expect(kvOf(state).keys({ prefix: '', limit: 1 })).rejects.toMatchObject({ code: 'unavailable' });
    expect(damage).toEqual(['a value on its disk is not what was written there']);
    await opened.pop()!.close();
    const again = await open(directory);
    expect([again.appliedIndex, again.integrity.damage]).toEqual([1, damage[0]]);
  });

  it('a flipped bit in LevelDB’s log is refused, not skipped', async () => {
    const directory = folder();
    const state = await open(directory);
    for (let i = 0; i < 50; i++) {
      put(state, { [`k${i}`]: 'x'.repeat(100) });
      await state.sync();
    }
    await opened.pop()!.close();
    const [log] = readdirSync(join(directory, 'state-1')).filter((name) => name.endsWith('.log'));
    const path = join(directory, 'state-1', log!);
    const content = readFileSync(path);
    content[2000] = content[2000]! ^ 1;
    writeFileSync(path, content);
    await expect(open(directory)).rejects.toMatchObject({ code: 'damaged' });
  });

  it('a flipped bit in a table is refused where the process did not close the database: LevelDB may abort at it', async () => {
    const directory = folder();
    for (let run = 0; run < 2; run++) {
      const state = await open(directory);
      for (let i = 0; i < 50; i++) put(state, { [`k${i}`]: 'x'.repeat(100) });
      await opened.pop()!.close();
    }
    const [table] = readdirSync(join(directory, 'state-1')).filter((name) => name.endsWith('.ldb'));
    const path = join(directory, 'state-1', table!);
    const content = readFileSync(path);
    content[2000] = content[2000]! ^ 1;
    writeFileSync(path, content);
    rmSync(join(directory, 'closed'));
    await expect(open(directory)).rejects.toMatchObject({ code: 'damaged', message: expect.stringContaining(path) });
  });

  it('the mark of a clean close is gone while the database is open', async () => {
    const directory = folder();
    await open(directory);
    await opened.pop()!.close();
    expect(readdirSync(directory)).toContain('closed');
    await open(directory);
    expect(readdirSync(directory)).not.toContain('closed');
  });

  it('a later log whose forerunner lost its unsynced end is set aside, and the state is one that it has been', async () => {
    const directory = folder();
    put(await open(directory), { a: '1' });
    await opened.pop()!.close();
    const path = join(directory, 'state-1');
    const [log] = readdirSync(path).filter((name) => name.endsWith('.log'));
    // The same writes again: a log that begins earlier than the one before has ended.
    copyFileSync(join(path, log!), join(path, '999990.log'));
    const state = await open(directory);
    expect([state.appliedIndex, text(kvOf(state).get('a'))]).toEqual([1, '1']);
    expect(readdirSync(path)).toContain('999990.log.unsynced');
  });

  it('another cluster’s state, a state without its pointer, and an installed database that is empty are refused', async () => {
    const directory = folder();
    put(await open(directory), { a: '1' });
    await opened.pop()!.close();
    await expect(open(directory, { clusterId: 'c2' })).rejects.toThrow(/belongs to cluster c1, not c2/);
    writeFileSync(join(directory, 'current'), 'state-1');
    await expect(open(directory)).rejects.toThrow(/names no database/);
    rmSync(join(directory, 'current'));
    await expect(open(directory)).rejects.toThrow(/no file current/);
    await pointTo(directory, 2);
    await expect(open(directory)).rejects.toThrow(/is empty, though it was installed/);
  });

  it('a damaged applied index is refused', async () => {
    const directory = folder();
    put(await open(directory), { a: '1' });
    await opened.pop()!.close();
    await raw(directory, async (database) => {
      const record = (await database.get('m/applied'))!;
      await database.put('m/applied', record.with(-1, record.at(-1)! ^ 4));
    });
    await expect(open(directory)).rejects.toThrow(/applied index is damaged/);
  });

  it('is open to its owner only, and to one process at a time', async () => {
    const directory = folder();
    await open(directory);
    expect(statSync(join(directory, 'state-1')).mode & 0o777).toBe(0o700);
    await expect(open(directory)).rejects.toMatchObject({ code: 'failed-precondition' });
  });

  it('the control record survives, and an older one never replaces it', async () => {
    const directory = folder();
    const state = await open(directory, { values: () => undefined });
    expect([state.controlIndex, state.controlRecord]).toEqual([0, undefined]);
    state.writeControl(LogIndex(5), Buffer.from('five'));
    state.writeControl(LogIndex(4), Buffer.from('four'));
    expect([state.controlIndex, text(state.controlRecord)]).toEqual([5, 'five']);
    await opened.pop()!.close();
    const again = await open(directory);
    expect([again.controlIndex, text(again.controlRecord), again.appliedIndex]).toEqual([5, 'five', 0]);
  });

  it('sync answers with the index that is durable', async () => {
    const state = await open(folder());
    put(state, { a: '1' });
    const first = state.sync();
    put(state, { a: '2' });
    expect(await first).toBe(1);
    expect(await state.sync()).toBe(2);
    expect(await state.sync()).toBe(2);
  });
});

describe('snapshots', () => {
  const meta = async (state: StateDb): Promise<SnapshotMeta> => {
    put(state, { a: 'one', big: 'x'.repeat(5000), index: '' });
    state.writeControl(LogIndex(1), Buffer.from('control'));
    put(state, { b: 'two' });
    return snapshotOf(state);
  };

  it('bring a sealed, empty node to the state of another', async () => {
    const from = await open(folder());
    const directory = folder();
    const to = await open(directory, { values: () => undefined });
    const snapshot = await meta(from);
    await bring(snapshot.id, from, to);
    expect(await install(to, snapshot)).toBe(true);
    expect([to.appliedIndex, to.controlIndex, text(to.controlRecord)]).toEqual([2, 1, 'control']);
    expect(to.installedSnapshot).toEqual(snapshot);
    await opened.pop()!.close();
    const again = await open(directory);
    expect(again.installedSnapshot).toEqual(snapshot);
    expect(['a', 'b', 'index'].map((key) => [text(kvOf(again).get(key)), kvOf(again).version(key)])).toEqual([
      ['one', 1],
      ['two', 2],
      ['', 1],
    ]);
    put(again, { c: 'three' });
    expect(await kvOf(again).keys({ prefix: '', limit: 9 })).toEqual(['a', 'b', 'big', 'c', 'index']);
  });

  it('replace what was there, and what was installed can be handed on', async () => {
    const from = await open(folder());
    const to = await open(folder());
    const third = await open(folder());
    put(to, { stale: 'x', a: 'stale' });
    expect(text(kvOf(to).get('a'))).toBe('stale');
    const mount = kvOf(to);
    const snapshot = await meta(from);
    await bring(snapshot.id, from, to);
    expect(await install(to, snapshot)).toBe(true);
    expect([text(mount.get('a')), mount.get('stale')]).toEqual(['one', undefined]);
    put(to, { after: 'y' });
    expect(await to.sync()).toBe(3);
    await bring(snapshot.id, to, third);
    expect(await install(third, snapshot)).toBe(true);
    expect(text(kvOf(third).get('b'))).toBe('two');
  });

  it('with any byte flipped are refused, and the old state stays', async () => {
    const from = await open(folder());
    const snapshot = await meta(from);
    const failures: unknown[] = [];
    const to = await open(folder(), { onSnapshotFailure: (error) => failures.push(error) });
    put(to, { own: 'mine' });
    const { total } = (await called<{ total: number } | undefined>((done) =>
      from.readSnapshot({ id: snapshot.id, offset: 0, bytesMax: 1 }, done),
    ))!;
    const places = [
      ...Array.from({ length: 60 }, (_, i) => i),
      200,
      1000,
      3000,
      total - 60,
      total - 41,
      total - 40,
      total - 33,
      total - 1,
    ];
    for (const place of places) {
      let at = 0;
      await bring(snapshot.id, from, to, (data) => {
        const flipped = Buffer.from(data);
        if (place >= at && place < at + data.length) flipped[place - at] = flipped[place - at]! ^ 2;
        at += data.length;
        return flipped;
      });
      expect(await install(to, snapshot), `byte ${place}`).toBe(false);
      expect(to.receivedBytes(snapshot.id)).toBe(0);
    }
    expect(failures).toHaveLength(places.length);
    expect([to.appliedIndex, text(kvOf(to).get('own')), to.installedSnapshot]).toEqual([1, 'mine', undefined]);
    await bring(snapshot.id, from, to);
    expect(await install(to, snapshot)).toBe(true);
  });

  it('cut short, missing, of another cluster, under another id or older than the state are refused', async () => {
    const from = await open(folder());
    const snapshot = await meta(from);
    const failures: string[] = [];
    const onSnapshotFailure = (error: unknown): void => void failures.push(String(error));
    const to = await open(folder(), { onSnapshotFailure });
    expect(await install(to, snapshot)).toBe(false);
    const chunk = await called<{ data: Uint8Array } | undefined>((done) =>
      from.readSnapshot({ id: snapshot.id, offset: 0, bytesMax: 500 }, done),
    );
    await called((done) => to.receiveSnapshot({ id: snapshot.id, offset: 0, data: chunk!.data }, done));
    expect(await install(to, snapshot)).toBe(false);
    expect(failures.at(-1)).toMatch(/cut short/);
    const id = `${snapshot.id.slice(0, -1)}${snapshot.id.endsWith('0') ? '1' : '0'}`;
    await bring(snapshot.id, from, to);
    copyFileSync(
      join(folders[1]!, 'state/snapshots', `${snapshot.id}.part`),
      join(folders[1]!, 'state/snapshots', `${id}.part`),
    );
    expect(await install(to, { ...snapshot, id })).toBe(false);
    expect(failures.at(-1)).toMatch(/another one than its id says/);
    expect(await install(to, { ...snapshot, index: LogIndex(9) })).toBe(false);
    const foreign = await open(folder(), { clusterId: 'c2', onSnapshotFailure });
    await bring(snapshot.id, from, foreign);
    expect(await install(foreign, snapshot)).toBe(false);
    expect(failures.at(-1)).toMatch(/belongs to cluster c1/);
    for (let i = 0; i < 3; i++) put(to, {});
    await bring(snapshot.id, from, to);
    expect(await install(to, snapshot)).toBe(false);
    expect(failures.at(-1)).toMatch(/is of 2, the state at 3 already/);
  });

  it('are received in order only, and under names that are ids', async () => {
    const failures: string[] = [];
    const state = await open(folder(), { onSnapshotFailure: (error) => failures.push(String(error)) });
    const id = `${'0'.repeat(15)}1-${'a'.repeat(64)}`;
    const receive = (at: { id: string; offset: number; data: Uint8Array }): Promise<boolean> =>
      called((done) => state.receiveSnapshot(at, done));
    expect(await receive({ id, offset: 0, data: Buffer.from('abc') })).toBe(true);
    expect(await receive({ id, offset: 2, data: Buffer.from('x') })).toBe(false);
    expect(await receive({ id, offset: 4, data: Buffer.from('x') })).toBe(false);
    expect(state.receivedBytes(id)).toBe(3);
    for (const bad of ['../../current', '', `${id}/`, id.toUpperCase()]) {
      expect(await receive({ id: bad, offset: 0, data: Buffer.from('x') })).toBe(false);
      expect(state.receivedBytes(bad)).toBe(0);
      expect(await called((done) => state.readSnapshot({ id: bad, offset: 0, bytesMax: 10 }, done))).toBeUndefined();
    }
    const other = id.replace('1-', '2-');
    expect(await receive({ id: other, offset: 0, data: Buffer.from('x') })).toBe(true);
    expect(state.receivedBytes(id)).toBe(0);
  });

  it('hold the state as of the call, whatever is applied meanwhile, and two are kept', async () => {
    const state = await open(folder());
    const ids: string[] = [];
    for (let round = 0; round < 3; round++) {
      put(state, { [`k${round}`]: 'x' });
      const taking = snapshotOf(state);
      put(state, { later: `${round}` });
      const { id, index } = await taking;
      expect([2 * round + 1, 2 * round + 2]).toContain(index);
      ids.push(id);
    }
    const there = await Promise.all(
      ids.map((id) => called<unknown>((done) => state.readSnapshot({ id, offset: 0, bytesMax: 1 }, done))),
    );
    expect(there.map((chunk) => chunk !== undefined)).toEqual([false, true, true]);
  });

  it('keep a control record that is newer than the snapshot’s', async () => {
    const from = await open(folder());
    const directory = folder();
    const to = await open(directory);
    const snapshot = await meta(from);
    await bring(snapshot.id, from, to);
    const installing = install(to, snapshot);
    to.writeControl(LogIndex(7), Buffer.from('seven'));
    expect(await installing).toBe(true);
    expect([to.controlIndex, text(to.controlRecord)]).toEqual([7, 'seven']);
    await opened.pop()!.close();
    const again = await open(directory);
    expect([again.controlIndex, text(again.controlRecord)]).toEqual([7, 'seven']);
  });

  it('a crash at any step of an install leaves the old state or the new one', async () => {
    const from = await open(folder());
    const snapshot = await meta(from);
    const directory = folder();
    const first = await open(directory);
    put(first, { own: 'mine' });
    await bring(snapshot.id, from, first);
    await opened.pop()!.close();
    const reopened = async (): Promise<unknown> => {
      const state = await open(directory);
      const seen = [
        state.appliedIndex,
        text(kvOf(state).get('own')),
        text(kvOf(state).get('a')),
        state.installedSnapshot?.id,
      ];
      await opened.pop()!.close();
      return seen;
    };
    const old = [1, 'mine', undefined, undefined];
    const snapshotPath = join(directory, 'snapshots', `${snapshot.id}.part`);
    const target = join(directory, 'state-2');
    // Half a database was built.
    const half = new Level<string, string>(target);
    await half.put('s/root/kv/own', 'half');
    await half.close();
    expect(await reopened()).toEqual(old);
    expect(readdirSync(directory)).not.toContain('state-2');
    // All of it was built, but not pointed to.
    await buildFromSnapshot({ snapshotPath, meta: snapshot, clusterId, target, keys: () => undefined });
    expect(await reopened()).toEqual(old);
    // The pointer was written beside the old one, but not renamed.
    await buildFromSnapshot({ snapshotPath, meta: snapshot, clusterId, target, keys: () => undefined });
    writeFileSync(join(directory, 'current.new'), 'state-2\n');
    expect(await reopened()).toEqual(old);
    // It was renamed, and nothing was cleaned up.
    await buildFromSnapshot({ snapshotPath, meta: snapshot, clusterId, target, keys: () => undefined });
    await pointTo(directory, 2);
    expect(await reopened()).toEqual([2, undefined, 'one', snapshot.id]);
    expect(readdirSync(directory).toSorted()).toEqual(['closed', 'current', 'snapshots', 'state-2']);
  });
});
