// Fixtures of this package's tests: a mount with a root and a role, requests for certificates of any shape, and the openssl command.
import { spawnSync } from 'node:child_process';
import { createHash, createPrivateKey, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Reply } from '@lockstep/contract/engine';
import { type TriedEngine, tryEngine } from '@lockstep/contract/try-engine';
import {
  bitString,
  type Der,
  encode,
  explicit,
  integer,
  octetString,
  sequence,
  setOfOne,
  utf8String,
  wrap,
} from './der.ts';
import { pki } from './engine.ts';
import { generalNames, type AlternativeNames, noNames } from './general-names.ts';
import { generateKey, type KeyPair, type KeySpec } from './generate-key.ts';
import * as oids from './oids.ts';
import { pem } from './pem.ts';
import { signatureAlgorithm } from './sign-der.ts';

export type Raw = { readonly [name: string]: unknown };

/** Bytes that look random and are the same in every run. */
export function seededRandom(seed: string): (size: number) => Buffer {
  let drawn = 0;
  return (size) => {
    const parts: Buffer[] = [];
    for (let at = 0; at < size; at += 32) parts.push(createHash('sha256').update(`${seed}/${drawn++}`).digest());
    return Buffer.concat(parts).subarray(0, size);
  };
}

export interface TrialPki extends TriedEngine {
  readonly root: Raw;
}

/** A mount with a root of this kind of key and a role `web` for names below example.com, changed as given. */
export async function trialPki({
  root = {},
  role = {},
}: {
  readonly root?: Raw;
  readonly role?: Raw;
} = {}): Promise<TrialPki> {
  const engine = tryEngine(pki, { random: randomBytes, mountPath: 'pki/' });
  const made = await engine.request('write', 'root/generate/internal', {
    common_name: 'Trial Root',
    ttl: '720h',
    ...root,
  });
  await engine.request('write', 'roles/web', webRole(role));
  return { ...engine, root: valuesOf(made) };
}

export function webRole(changes: Raw): Raw {
  return { allowed_domains: 'example.com', allow_subdomains: true, ttl: '24h', ...changes };
}

export function valuesOf(reply: Reply): Raw {
  if (reply.data === undefined) throw new Error('the reply has no data');
  return reply.data;
}

export function textOf(values: Raw, name: string): string {
  const value = values[name];
  if (typeof value !== 'string') throw new Error(`${name} is not a text`);
  return value;
}

export async function issue(engine: TriedEngine, fields: Raw, path = 'issue/web'): Promise<Raw> {
  return valuesOf(await engine.request('write', path, fields));
}

export function parsed(values: Raw): X509Certificate {
  return new X509Certificate(textOf(values, 'certificate'));
}

/** A private key with its public one, for requests. */
export interface TrialKey extends KeyPair {
  readonly key: KeyObject;
  readonly spec: KeySpec;
}

export async function trialKey(spec: KeySpec): Promise<TrialKey> {
  const pair = await generateKey(
    {
      random: randomBytes,
      offload: async ({ module, exportName, argument }) => (await import(module.href))[exportName](argument),
    },
    spec,
  );
  const { publicKey, pkcs8, traditional } = pair;
  return { publicKey, pkcs8, traditional, spec, key: createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }) };
}

export interface CsrParts {
  readonly key: TrialKey;
  readonly commonName?: string;
  readonly names?: Partial<AlternativeNames>;
  /** In place of what the others say. */
  readonly subject?: Der;
  readonly spki?: Uint8Array;
  readonly attributes?: readonly Der[];
  /** Further extensions to ask for. */
  readonly extensions?: readonly Der[];
  readonly algorithm?: Uint8Array;
  readonly signature?: Uint8Array;
}

/** A certificate request, well-formed but for the parts that are given. */
export function csrDer(parts: CsrParts): Buffer {
  const { key, names } = parts;
  const record = { name: '', type: key.spec.type, bits: key.spec.bits, pkcs8: key.pkcs8 };
  const algorithm = signatureAlgorithm(record, 0);
  const subject =
    parts.subject ??
    sequence(...(parts.commonName === undefined ? [] : [attribute(oids.commonName, utf8String(parts.commonName))]));
  const wanted = [
    ...(names === undefined
      ? []
      : [sequence(oids.subjectAltName, octetString(generalNames({ ...noNames, ...names })))]),
    ...(parts.extensions ?? []),
  ];
  const attributes = parts.attributes ?? (wanted.length === 0 ? [] : [extensionRequest(wanted)]);
  const info = encode(sequence(integer(0), subject, parts.spki ?? key.publicKey.spki, explicit(0, ...attributes)));
  const signature = parts.signature ?? sign(algorithm.hash, info, key.key);
  return encode(sequence(info, parts.algorithm ?? algorithm.der, bitString(signature)));
}

export const csrPem = (parts: CsrParts): string => pem('CERTIFICATE REQUEST', csrDer(parts));
export const attribute = (id: Uint8Array, value: Der): Der => setOfOne(sequence(id, value));
export const extensionRequest = (extensions: readonly Der[]): Der =>
  sequence(oids.extensionRequest, wrap(0x31, [sequence(...extensions)]));

export const hasOpenssl: boolean = spawnSync('openssl', ['version']).status === 0;

/** Runs openssl in a folder that holds these files and is gone after. Returns its status and all that it wrote. */
export function openssl(
  args: readonly string[],
  files: { readonly [name: string]: string | Uint8Array },
): { status: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), 'pki-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    const { status, stdout, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
    return { status, output: `${stdout}${stderr}` };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
