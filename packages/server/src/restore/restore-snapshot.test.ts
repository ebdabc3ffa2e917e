import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { NodeId } from '@lockstep/contract/ids';
import { Secret } from '@lockstep/contract/secret';
import { policyFacts } from '@lockstep/policy/facts';
import { initialise } from '@lockstep/seal/initialise';
import { Keyring, openKeyring } from '@lockstep/seal/keyring';
import { RecordSealer } from '@lockstep/seal/record-sealer';
import { encodeSealConfiguration } from '@lockstep/seal/seal-configuration';
import { afterEach, describe, expect, test } from 'vitest';
import { policyMount } from '../mounts.ts';
import { until } from '../recorded/recorded-node.fixture.ts';
import { chunkPlace, SavedFileParser, savedHead, type SavedSnapshot, sha256 } from '../saved/saved-file.ts';
import { encodeTransaction } from '../transaction.ts';
import { factVersionKnown } from '../version.ts';
import { restoreReserveBytes } from './limits.ts';
import { openRestoringNode, recordedClusterId, type RestoringNode } from './restoring-node.fixture.ts';

let restoring: RestoringNode;
afterEach(() => restoring.close());

const open = async (of?: Parameters<typeof openRestoringNode>[0]): Promise<RestoringNode> => {
  restoring = await openRestoringNode(of);
  return restoring;
};

/** What a file says of itself. */
function headOf(file: Uint8Array): SavedSnapshot {
  const parser = new SavedFileParser({ onHead: () => undefined });
  parser.push(file);
  return parser.finish().saved;
}

/** The same chunks below another head, with a hash that fits. */
function withHead(file: Buffer, change: Partial<SavedSnapshot>): Buffer {
  const saved = headOf(file);
  const chunks = file.subarray(savedHead(saved).length, -32);
  const body = Buffer.concat([savedHead({ ...saved, ...change }), chunks]);
  return Buffer.concat([body, sha256(body)]);
}

/** A whole file around a snapshot, sealed by any keys. */
function sealedFile(snapshot: Uint8Array, saved: SavedSnapshot, sealer: RecordSealer): Buffer {
  const head = savedHead({ ...saved, bytes: snapshot.length });
  const sealed = sealer.startBatch().seal(chunkPlace(sha256(head), 0, true), snapshot);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(sealed.length);
  const body = Buffer.concat([head, length, sealed, Buffer.alloc(4)]);
  return Buffer.concat([body, createHash('sha256').update(body).digest()]);
}

/** The snapshot in a file, as these keys open it. */
function openedChunks(file: Uint8Array, sealer: RecordSealer | undefined): Buffer {
  const pieces: Buffer[] = [];
  let headHash: Uint8Array = new Uint8Array(0);
  const parser = new SavedFileParser({
    onHead: (_saved, hash) => {
      headHash = hash;
    },
    onChunk: (sealed, { number, isLast }) => {
      pieces.push((sealer ?? expect.unreachable()).open(chunkPlace(headHash, number, isLast), sealed));
    },
  });
  parser.push(file);
  parser.finish();
  return Buffer.concat(pieces);
}

const flipped = (file: Buffer, at: number): Buffer => {
  const copy = Buffer.from(file);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
};

/** What a restore would change. */
async function fingerprint({ node, ask, directory }: RestoringNode): Promise<unknown> {
  const { data } = await ask({ operation: 'read', path: 'secret/data/app/db' });
  const left = readdirSync(join(directory, 'restores'));
  return { data, applied: node.state.appliedIndex, restored: node.state.restored, left };
}

describe('a restore is refused, and nothing is changed,', () => {
  const refusals: readonly (readonly [string, (file: Buffer) => Buffer, object])[] = [
    ['of a file that is cut', (file) => file.subarray(0, -40), { code: 'invalid-input', message: /cut short/ }],
    ['of nothing', () => Buffer.alloc(0), { code: 'invalid-input', message: /cut short/ }],
    ['of a flipped bit', (file) => flipped(file, 500), { code: 'invalid-input' }],
    ['of something else', () => Buffer.from('PK something'), { code: 'invalid-input', message: /no saved snapshot/ }],
    ['of a newer format', (file) => flipped(file, 4), { code: 'invalid-input', message: /has format 0/ }],
    [
      'of newer facts',
      (file) => withHead(file, { factVersion: factVersionKnown + 1, program: '9.0.0' }),
      {
        code: 'failed-precondition',
        message: /saved by version 9\.0\.0, with facts of version 2; this version knows 1/,
      },
    ],
    [
      "of another cluster's file",
      (file) => withHead(file, { clusterId: 'other' }),
      { code: 'failed-precondition', message: /is of cluster other, not recorded-v1: restore it by force/ },
    ],
    [
      'of a head that somebody changed, whatever its hash says',
      (file) => withHead(file, { index: 3 }),
      { code: 'failed-precondition', message: /not sealed by keys of this cluster, or somebody changed it/ },
    ],
  ];

  test.each(refusals)('%s', async (_what, change, refusal) => {
    const { save, restore } = await open();
    const file = await save();
    const before = await fingerprint(restoring);
    const { code, message } = refusal as { code: string; message?: RegExp };
    await expect(restore(change(file))).rejects.toMatchObject({
      code,
      ...(message === undefined ? {} : { message: expect.stringMatching(message) }),
    });
    expect(await fingerprint(restoring)).toEqual(before);
  });

  test('of a file that other keys sealed', async () => {
    const { save, restore } = await open();
    const file = await save();
    const keyring = new Keyring(recordedClusterId, [
      { version: 1, key: new Secret(Buffer.alloc(32, 7)), createdMs: 1 },
    ]);
    const foreign = new RecordSealer({ keyring, use: 'snapshot', random: randomBytes });
    const before = await fingerprint(restoring);
    await expect(restore(sealedFile(Buffer.alloc(100), headOf(file), foreign))).rejects.toMatchObject({
      code: 'failed-precondition',
      message: expect.stringMatching(/not sealed by keys of this cluster/),
    });
    expect(await fingerprint(restoring)).toEqual(before);
  });

  test('of what is sealed well and is no snapshot', async () => {
    const { node, save, restore } = await open();
    const file = await save();
    const before = await fingerprint(restoring);
    const own = node.keeper.barrier.snapshots() ?? expect.unreachable();
    await expect(restore(sealedFile(randomBytes(100), headOf(file), own))).rejects.toMatchObject({
      code: 'invalid-input',
    });
    expect(await fingerprint(restoring)).toEqual(before);
  });

  test('while the membership is being changed', async () => {
    const joint = {
      voters: [NodeId(1)],
      votersOutgoing: [NodeId(1)],
      learners: [],
      learnersNext: [],
      autoLeave: false,
    };
    const { save, restore } = await open({ membership: joint });
    await expect(restore(await save())).rejects.toMatchObject({
      code: 'failed-precondition',
      message: expect.stringMatching(/membership is being changed/),
    });
  });

  test('while the node is sealed', async () => {
    const { node, save, restore } = await open();
    const file = await save();
    node.keeper.seal();
    await expect(restore(file)).rejects.toMatchObject({ code: 'sealed' });
    await node.keeper.openByItself();
  });

  test('where the disk would be full', async () => {
    let free = Number.MAX_SAFE_INTEGER;
    const { save, restore } = await open({ freeBytes: async () => free });
    const file = await save();
    const { bytes } = headOf(file);
    const before = await fingerprint(restoring);
    free = restoreReserveBytes - 1;
    await expect(restore(file)).rejects.toMatchObject({ code: 'disk-full' });
    free = restoreReserveBytes + 3 * bytes - 1;
    await expect(restore(file)).rejects.toMatchObject({ code: 'disk-full' });
    expect(await fingerprint(restoring)).toEqual(before);
    free += 1;
    await expect(restore(file)).resolves.toMatchObject({ isSealed: false });
  });

  test('while another is under way', async () => {
    const { save, restore } = await open();
    const file = await save();
    const [first, second] = await Promise.allSettled([restore(file), restore(file)]);
    expect(first.status).toBe('fulfilled');
    expect(second).toMatchObject({ reason: { message: 'another restore is under way on this node' } });
  });

  test('by force, of keys in a seal that the node does not have', async () => {
    const { save, restore } = await open();
    const before = await fingerprint(restoring);
    await expect(restore(await save(), { force: true })).rejects.toMatchObject({
      code: 'failed-precondition',
      message: expect.stringMatching(/guarded by a static seal that this node can't open/),
    });
    expect(await fingerprint(restoring)).toEqual(before);
  });
});

describe('a restore', () => {
  test('brings back what was there, takes away what came later, and the log goes on', async () => {
    const { node, ask, save, restore } = await open();
    const file = await save();
    const { index: savedAt } = headOf(file);
    const at = { operation: 'read', path: 'secret/data/app/db' } as const;
    const before = await ask(at);
    await ask({ operation: 'write', path: 'secret/data/app/db', data: { data: { password: 'changed' } } });
    await ask({ operation: 'write', path: 'secret/data/app/new', data: { data: { a: 1 } } });
    const { index, isSealed, saved } = await restore(file);
    expect([isSealed, saved.index, node.state.appliedIndex]).toEqual([false, savedAt, index]);
    expect(index).toBeGreaterThan(savedAt + 2);
    expect(await ask(at)).toEqual(before);
    await expect(ask({ operation: 'read', path: 'secret/data/app/new' })).rejects.toThrow('not-found');
    await ask({ operation: 'write', path: 'secret/data/app/db', data: { data: { password: 'again' } } });
    expect(await ask(at)).toMatchObject({ data: { data: { password: 'again' } } });
  });

  test('may be done again, and of a snapshot that was saved after one', async () => {
    const { ask, save, restore } = await open();
    const at = { operation: 'read', path: 'secret/data/n' } as const;
    const write = (n: number): Promise<unknown> =>
      ask({ operation: 'write', path: 'secret/data/n', data: { data: { n } } });
    await write(1);
    const first = await save();
    await restore(first);
    await write(2);
    const second = await save();
    await restore(first);
    expect(await ask(at)).toMatchObject({ data: { data: { n: 1 } } });
    await restore(second);
    expect(await ask(at)).toMatchObject({ data: { data: { n: 2 } } });
  });

  test('lets no decision through that was made by the state before it, whatever it expects', async () => {
    const { node, save, restore, ask } = await open();
    const decide = (restoredIndex: number): Buffer => {
      const fact = policyFacts.encode({ type: 'policyWritten', name: 'late', text: 'path "a" { policy = "read" }' });
      const facts = [{ mount: policyMount, factVersion: 1, fact }];
      return encodeTransaction({ facts, expects: [], remembered: undefined, restoredIndex });
    };
    const record = (transaction: Buffer): Promise<unknown> =>
      node.host.record(transaction, performance.now() + 5_000, { isRelief: false });
    const before = decide(node.host.restoredIndex);
    const { index } = await restore(await save());
    expect(await record(before)).toEqual({ kind: 'conflict', expect: { kind: 'restored' } });
    expect(await record(decide(index - 1))).toEqual({ kind: 'conflict', expect: { kind: 'restored' } });
    await expect(ask({ operation: 'read', path: 'sys/policies/acl/late' })).rejects.toThrow('not-found');
    expect(await record(decide(index))).toMatchObject({ kind: 'applied' });
  });

  test('of a snapshot from a longer log gives no version twice', async () => {
    const { node, save, restore, ask } = await open();
    // As if it came from a log that is a million entries further: sealed anew, since the head is bound to the chunks.
    const file = await save();
    const saved = headOf(file);
    const own = node.keeper.barrier.snapshots() ?? expect.unreachable();
    const plain = openedChunks(file, own);
    await restore(sealedFile(plain, { ...saved, index: 1_000_000 }, own));
    expect(node.state.restored).toMatchObject({ versionOffset: 1_000_000 });
    await ask({ operation: 'write', path: 'secret/data/later', data: { data: { a: 1 } } });
    const again = headOf(await save());
    expect([again.versionOffset, again.index]).toEqual([1_000_000, node.state.appliedIndex]);
  });

  test("by force takes the file's seal along: the node is sealed, and opens with the shares of then", async () => {
    const { node, save, restore } = await open();
    const file = await save();
    const plain = openedChunks(file, node.keeper.barrier.snapshots());

    // Another cluster, sealed by two of three shares; what it holds does not matter here, only that its keys open it.
    const other = await initialise({
      clusterId: 'other',
      seal: { kind: 'shamir', shares: 3, threshold: 2 },
      nowMs: 1,
      random: randomBytes,
    });
    const keyring = openKeyring({
      sealed: other.configuration.sealedKeyring,
      rootKey: other.rootKey,
      clusterId: 'other',
    });
    const foreign = new RecordSealer({ keyring, use: 'snapshot', random: randomBytes });
    const head = { ...headOf(file), clusterId: 'other', seal: encodeSealConfiguration(other.configuration) };
    const { isSealed, index } = await restore(sealedFile(plain, head, foreign), { force: true });
    expect([isSealed, node.keeper.isSealed]).toEqual([true, true]);
    expect(node.state.appliedIndex).toBeLessThan(index);
    await node.keeper.giveShare(other.shares[0]!.reveal().toString('hex'));
    await node.keeper.giveShare(other.shares[2]!.reveal().toString('hex'));
    expect(node.keeper.isSealed).toBe(false);
    await until('the state is restored', () => node.state.appliedIndex >= index);
    expect(node.state.restored).toMatchObject({ index });
  });
});
