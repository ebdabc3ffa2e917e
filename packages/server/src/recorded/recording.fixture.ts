import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '@lockstep/contract/json';
import { LogIndex, Term } from '@lockstep/contract/ids';
import { Secret } from '@lockstep/contract/secret';
import { WireReader } from '@lockstep/contract/wire';
import type { Entry, EntryType, SnapshotMeta } from '@lockstep/core/raft/types';
import { systemFacts } from '@lockstep/engine-system/facts';
import { Barrier } from '@lockstep/seal/barrier';
import { unwrapWithSeal } from '@lockstep/seal/root-key';
import type { SealConfiguration } from '@lockstep/seal/seal-configuration';
import { staticSeal } from '@lockstep/seal/seals';
import { decodeControlEntry, foundingPlace, sealInForce } from '../control-entry.ts';
import { systemMount } from '../mounts.ts';
import { SnapshotReader } from '../state/snapshot-file.ts';
import { openCell } from '../state/stored-value.ts';
import { decodeTransaction, type Transaction } from '../transaction.ts';
import type { Asked } from './recorded-node.fixture.ts';

// A recording: testdata/recorded/<name>/recording.json   keys, and what the log must come to
//                                      /log.jsonl        one committed entry a line
//                                      /snapshot.snap    the state at one of them, as a node wrote it
//                                      /<id>.saved       what the log restores the state from, from v2 on

/** For ever what an earlier version wrote. */
export interface Recording {
  readonly clusterId: string;
  /** Guards this recording's keys, and nothing else anywhere. */
  readonly staticKey: string;
  readonly rootToken: string;
  /** The wall's time right after the recording. */
  readonly endMs: number;
  readonly snapshot: SnapshotMeta;
  /** Of (key, version, plaintext) in the snapshot, and after the last entry. */
  readonly snapshotDigest: string;
  readonly digest: string;
  readonly answers: readonly { readonly asked: Asked; readonly data: JsonObject }[];
}

export const recordingsFolder: string = join(import.meta.dirname, '..', '..', 'testdata', 'recorded');
export const snapshotPath = (folder: string): string => join(folder, 'snapshot.snap');

/** Refuses a folder that is there already: what was recorded stays as it is. */
export function writeRecording(
  folder: string,
  recorded: {
    readonly recording: Recording;
    readonly entries: readonly Entry[];
    readonly snapshot: Uint8Array;
    readonly saved: Uint8Array;
  },
): void {
  const { recording, entries, snapshot, saved } = recorded;
  mkdirSync(folder);
  const lines = entries.map(({ data, ...entry }) =>
    JSON.stringify({ ...entry, data: Buffer.from(data).toString('base64') }),
  );
  writeFileSync(join(folder, 'log.jsonl'), `${lines.join('\n')}\n`);
  writeFileSync(snapshotPath(folder), snapshot);
  writeFileSync(join(folder, `${Buffer.from(saved.subarray(-32)).toString('hex')}.saved`), saved);
  writeFileSync(join(folder, 'recording.json'), `${JSON.stringify(recording, undefined, 2)}\n`);
}

export function readRecording(folder: string): Recording {
  return JSON.parse(readFileSync(join(folder, 'recording.json'), 'utf8'));
}

/** The files that the log restores the state from, by name. */
export function savedFiles(folder: string): readonly string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.saved'));
}

export function readEntries(folder: string): readonly Entry[] {
  const lines = readFileSync(join(folder, 'log.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const entry: { index: number; term: number; type: EntryType; data: string } = JSON.parse(line);
    const data = Buffer.from(entry.data, 'base64');
    return { index: LogIndex(entry.index), term: Term(entry.term), type: entry.type, data };
  });
}

/** A hash over key, version and plaintext of every record in a snapshot, in the order of keys. */
export async function digestOfSnapshot(path: string, id: string, staticKey: Uint8Array): Promise<string> {
  const reader = await SnapshotReader.open(path, id);
  try {
    const { clusterId, control } = reader.header;
    if (control === undefined) throw new Error('the snapshot has no control entry');
    const sealer = (await openBarrier({ clusterId, staticKey, seal: sealInForce(control.data) })).values();
    if (sealer === undefined) throw new Error('the barrier is open');
    const hash = createHash('sha256');
    for await (const records of reader.records()) {
      for (const { key, value } of records) {
        const cell = openCell(sealer, key.toString(), value);
        hash.update(`${key.length}:`).update(key);
        hash.update(`${cell.version}:${cell.value.length}:`).update(cell.value);
      }
    }
    return hash.digest('hex');
  } finally {
    await reader.close();
  }
}

/** The transactions of a log, in order, with the kind of the engine that each fact is for. */
export async function transactionsOf(
  entries: readonly Entry[],
  keys: { readonly clusterId: string; readonly staticKey: Uint8Array },
): Promise<readonly Transaction[]> {
  let barrier: Barrier | undefined;
  const transactions: Transaction[] = [];
  for (const { index, term, type, data } of entries) {
    const control = type === 'control' ? decodeControlEntry(data) : undefined;
    if (control?.seal !== undefined) barrier = await openBarrier({ ...keys, seal: control.seal });
    const sealed = control?.founding ?? (type === 'transactions' ? data : undefined);
    if (sealed === undefined || sealed.length === 0 || barrier === undefined) continue;
    const place = control === undefined ? { index, term } : foundingPlace;
    transactions.push(...barrier.openEntry({ ...place, sealed }).transactions.map(decodeTransaction));
  }
  return transactions;
}

/** Which facts there are: `<kind of engine> <number>`, each once. The engine of a mount is the one that the log enabled there. */
export function factKinds(transactions: readonly Transaction[]): ReadonlySet<string> {
  const engines = new Map<string, string>();
  const found = new Set<string>();
  for (const { mount, fact } of transactions.flatMap((transaction) => transaction.facts)) {
    const system = mount === systemMount ? systemFacts.decode(fact) : undefined;
    if (system?.type === 'mountEnabled') engines.set(system.id, system.kind);
    found.add(`${engines.get(mount) ?? mount} ${factNumber(fact)}`);
  }
  return found;
}

export function factNumber(fact: Uint8Array): number {
  return Math.floor(new WireReader(fact).varint() / 8);
}

async function openBarrier(of: {
  readonly clusterId: string;
  readonly staticKey: Uint8Array;
  readonly seal: SealConfiguration;
}): Promise<Barrier> {
  const noRandom = (): never => {
    throw new Error('reading draws nothing');
  };
  const barrier = new Barrier({ clusterId: of.clusterId, random: noRandom });
  const seal = staticSeal({ key: new Secret(Buffer.from(of.staticKey)), random: noRandom });
  barrier.unseal(of.seal, await unwrapWithSeal(of.seal, seal));
  return barrier;
}
