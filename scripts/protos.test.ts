import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  bool,
  bytes,
  embed,
  facts,
  message,
  optionalBool,
  optionalText,
  repeatedText,
  text,
  uint,
} from '@lockstep/contract/wire';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { type ComparedCodec, codecDifferences, factDifferences, factUnion } from './compare-codec.ts';
import {
  brokenPromises,
  describeProtos,
  loadProtos,
  lockFile,
  type ProtoLock,
  protoFiles,
  readLock,
} from './proto-lock.ts';
import { filesWith, root } from './source-tree.ts';

/** Which modules write the messages of the files in `protos/lockstep/<folder>/v1`: all that a log or a snapshot holds. */
const writers: { readonly [folder: string]: readonly string[] } = {
  'facts/host': ['packages/server/src/host-facts.ts'],
  'facts/kv': ['packages/engine-kv/src/facts.ts', 'packages/engine-kv/src/records.ts'],
  'facts/pki': ['packages/engine-pki/src/facts.ts', 'packages/engine-pki/src/records.ts'],
  'facts/policy': ['packages/policy/src/facts.ts'],
  'facts/system': [
    'packages/engine-system/src/facts.ts',
    'packages/engine-system/src/stored-mounts.ts',
    'packages/engine-system/src/stored-invites.ts',
  ],
  'facts/token': ['packages/auth/src/token/facts.ts', 'packages/auth/src/token/token-record.ts'],
  log: [
    'packages/seal/src/sealed-entry.ts',
    'packages/seal/src/seal-configuration.ts',
    'packages/server/src/transaction.ts',
    'packages/server/src/control-entry.ts',
    'packages/server/src/recover/recoveries.ts',
    'packages/server/src/idempotency.ts',
    'packages/server/src/state/state-records.ts',
    'packages/server/src/state/snapshot-file.ts',
    'packages/server/src/saved/saved-file.ts',
  ],
};

const isCodec = (value: unknown): value is ComparedCodec =>
  typeof value === 'object' && value !== null && 'encode' in value && 'decode' in value;
const isMessageCodec = (codec: ComparedCodec): boolean => 'initial' in codec;
/** `transactionWire` and `transaction` write a Transaction. */
const messageName = (exported: string): string =>
  exported.charAt(0).toUpperCase() + exported.slice(1).replace(/Wire$/, '');

async function codecsOf(modules: readonly string[]): Promise<readonly (readonly [string, ComparedCodec])[]> {
  const loaded: { readonly [name: string]: unknown }[] = await Promise.all(
    modules.map((path) => import(pathToFileURL(join(root, path)).href)),
  );
  return loaded
    .flatMap((module) => Object.entries(module))
    .filter((pair): pair is [string, ComparedCodec] => isCodec(pair[1]));
}

function reached(type: protobuf.Type, into: Set<string>): void {
  if (into.has(type.name)) return;
  into.add(type.name);
  for (const field of type.fieldsArray)
    if (field.resolvedType instanceof protobuf.Type) reached(field.resolvedType, into);
}

describe('the protos', () => {
  it.each(protoFiles())('%s parses, with all that it imports', (file) => {
    expect(() => loadProtos([file])).not.toThrow();
  });

  it('are found by the path that their package names', () => {
    const misplaced = protoFiles().filter((file) => {
      const packages = new Set(loadProtos([file]).nestedArray.map((node) => node.fullName));
      return !packages.has(`.${file.split('/')[0]}`);
    });
    expect(misplaced).toEqual([]);
  });
});

describe('the lock of the protos', () => {
  const now = describeProtos(loadProtos(protoFiles()));

  it('is kept: nothing that it lists was changed or taken away', () => {
    expect(brokenPromises(readLock(), now)).toEqual([]);
  });

  it('lists all that there is (npm run fix adds to it)', () => {
    expect(existsSync(lockFile)).toBe(true);
    expect(brokenPromises(now, readLock())).toEqual([]);
  });

  const described = (source: string): ProtoLock => {
    const parsed = protobuf.parse(`syntax = "proto3"; package lockstep.a; ${source}`, { keepCase: true });
    parsed.root.resolveAll();
    return describeProtos(parsed.root);
  };
  const before = described(
    'message M { string name = 1; repeated bytes parts = 2; optional bool on = 3; } enum E { A = 0; B = 1; }',
  );

  it.each([
    [
      'a field with another number',
      'message M { string name = 4; repeated bytes parts = 2; optional bool on = 3; } enum E { A = 0; B = 1; }',
    ],
    [
      'a field of another type',
      'message M { bytes name = 1; repeated bytes parts = 2; optional bool on = 3; } enum E { A = 0; B = 1; }',
    ],
    [
      'a field that is no longer repeated',
      'message M { string name = 1; bytes parts = 2; optional bool on = 3; } enum E { A = 0; B = 1; }',
    ],
    [
      'a field that is no longer optional',
      'message M { string name = 1; repeated bytes parts = 2; bool on = 3; } enum E { A = 0; B = 1; }',
    ],
    ['a field that is gone', 'message M { repeated bytes parts = 2; optional bool on = 3; } enum E { A = 0; B = 1; }'],
    [
      'a field of another name',
      'message M { string title = 1; repeated bytes parts = 2; optional bool on = 3; } enum E { A = 0; B = 1; }',
    ],
    [
      'a value with another number',
      'message M { string name = 1; repeated bytes parts = 2; optional bool on = 3; } enum E { A = 0; B = 2; }',
    ],
    ['a message that is gone', 'enum E { A = 0; B = 1; }'],
  ])('refuses %s', (_what, source) => {
    expect(brokenPromises(before, described(source))).toHaveLength(1);
  });

  it('takes additions', () => {
    const grown =
      'message M { string name = 1; repeated bytes parts = 2; optional bool on = 3; uint64 size = 4; } enum E { A = 0; B = 1; C = 2; } message N {}';
    expect(brokenPromises(before, described(grown))).toEqual([]);
  });
});

describe('a codec and its message', () => {
  const { root: trial } = protobuf.parse(
    `syntax = "proto3";
    message Part { string name = 1; optional bool is_on = 2; }
    message Whole { uint64 not_after_seconds = 1; bytes body = 2; Part part = 3; repeated string names = 4; }
    message Fact { oneof fact { Part part_added = 1; Whole whole_made = 2; } }`,
    { keepCase: true },
  );
  trial.resolveAll();
  const differences = (codec: ComparedCodec): readonly string[] => codecDifferences(codec, trial.lookupType('Whole'));
  const part = message({ name: text(1), isOn: optionalBool(2) });
  const required = message({ name: text(1), isOn: bool(2) });
  const numbered = message({ name: text(1), isOn: uint(2) });
  const whole = { notAfterSeconds: uint(1), body: bytes(2), names: repeatedText(4) };

  it('that agree have no difference', () => {
    const agreed = message({ ...whole, part: embed(3, part) });
    expect(differences(agreed)).toEqual([]);
    const table = facts({ partAdded: [1, part], wholeMade: [2, agreed] });
    expect(factDifferences(table, trial.lookupType('Fact'))).toEqual([]);
  });

  it.each([
    ['a field that only the message has', message(whole)],
    ['a field that only the codec has', message({ ...whole, part: embed(3, part), more: optionalText(9) })],
    ['a field that must be present where it is optional', message({ ...whole, part: embed(3, required) })],
    ['another type inside', message({ ...whole, part: embed(3, numbered) })],
    ['another number', message({ ...whole, names: repeatedText(5), part: embed(3, part) })],
    ['another name', message({ until: uint(1), body: bytes(2), names: repeatedText(4), part: embed(3, part) })],
    ['text for bytes', message({ ...whole, body: text(2), part: embed(3, part) })],
    ['a single for a repeated field', message({ ...whole, names: text(4), part: embed(3, part) })],
  ])('that differ are told apart: %s', (_what, codec) => {
    expect(differences(codec)).not.toEqual([]);
  });

  it.each([
    ['a missing fact', facts({ partAdded: [1, part] })],
    [
      'a fact of another number',
      facts({ partAdded: [2, part], wholeMade: [1, message({ ...whole, part: embed(3, part) })] }),
    ],
    [
      'a fact of another name',
      facts({ partAdded: [1, part], wholeBuilt: [2, message({ ...whole, part: embed(3, part) })] }),
    ],
    [
      'a fact that the message does not list',
      facts({ partAdded: [1, part], wholeMade: [2, message({ ...whole, part: embed(3, part) })], gone: [3, part] }),
    ],
  ])('facts that differ are told apart: %s', (_what, codec) => {
    expect(factDifferences(codec, trial.lookupType('Fact'))).not.toEqual([]);
  });
});

describe('what is kept', () => {
  it('is written by modules of this table, and has a proto', () => {
    const listed = Object.values(writers).flat();
    const modules = filesWith(['.ts'], ['packages']).filter((path) => path.endsWith('/facts.ts'));
    expect(modules.filter((path) => !listed.includes(path))).toEqual([]);
    const named = protoFiles().flatMap((file) => /^lockstep\/(facts\/[^/]+|log)\/v1\//.exec(file)?.[1] ?? []);
    expect([...new Set(named)].toSorted()).toEqual(Object.keys(writers).toSorted());
  });

  it.each(Object.keys(writers))('of %s is the same in the protos and in the code', async (name) => {
    const files = protoFiles().filter((file) => file.startsWith(`lockstep/${name}/v1/`));
    const scope = loadProtos(files).lookup(`lockstep.${name.replace('/', '.')}.v1`);
    if (!(scope instanceof protobuf.Namespace)) throw new Error(`${files.join(', ')}: another package than the folder`);
    const types = scope.nestedArray.filter((node) => node instanceof protobuf.Type);
    const union = types.find((type) => factUnion(type) !== undefined);
    const covered = new Set<string>();
    const differences: string[] = [];
    for (const [exported, codec] of await codecsOf(writers[name] ?? [])) {
      // Where there are no facts, a codec that is no message puts a checksum before one.
      if (union === undefined && !isMessageCodec(codec)) continue;
      const type = isMessageCodec(codec) ? types.find((one) => one.name === messageName(exported)) : union;
      if (type === undefined) differences.push(`${exported} has no message in lockstep/${name}/v1`);
      else {
        differences.push(...(isMessageCodec(codec) ? codecDifferences(codec, type) : factDifferences(codec, type)));
        reached(type, covered);
      }
    }
    const unwritten = types
      .filter((type) => !covered.has(type.name))
      .map((type) => `${type.name} is written by no codec`);
    expect([...differences, ...unwritten]).toEqual([]);
  });
});
