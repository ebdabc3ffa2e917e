import { createPrivateKey } from 'node:crypto';
import type { Call } from '@lockstep/contract/engine';
import { type Der, encode, explicit, integer, integerOfBytes, sequence, time } from '@lockstep/engine-pki/der';
import {
  authorityConstraints,
  authorityKeyIdentifier,
  authorityUsage,
  extendedKeyUsage,
  keyUsage,
  leafConstraints,
  subjectAltName,
  subjectKeyIdentifier,
} from '@lockstep/engine-pki/extensions';
import { ipBytes, nameCount, noNames } from '@lockstep/engine-pki/general-names';
import { generateKey, type KeyPair } from '@lockstep/engine-pki/generate-key';
import { drawSerial } from '@lockstep/engine-pki/leaf';
import { parseCertificate } from '@lockstep/engine-pki/parse-certificate';
import { keyIdentifier, type PublicKey } from '@lockstep/engine-pki/public-key';
import { signatureAlgorithm, signed, type SigningKey } from '@lockstep/engine-pki/sign-der';
import { subjectName } from '@lockstep/engine-pki/subject';
import type { ClusterAuthority } from '@lockstep/engine-system/facts';
import { authorityYears, backdatingMs, nodeCertificateYears } from './limits.ts';

type Random = Call['random'];

/** P-256: every client verifies it. */
const keySpec = { type: 'ec', bits: 256 } as const;
const yearMs = 365 * 86_400_000;
const versionThree = explicit(0, integer(2));

/** A new key. It never leaves the machine that it is made on. */
export async function newNodeKey(random: Random): Promise<KeyPair> {
  return await generateKey({ random, offload: neverOffloaded }, keySpec);
}

function neverOffloaded(): never {
  throw new Error('invariant broken: a curve’s key needs no worker');
}

/** The cluster's own certificate authority: what newcomers trust, and what the certificates of those that joined are signed by. */
export async function makeAuthority(of: {
  readonly clusterId: string;
  readonly random: Random;
  readonly nowMs: number;
}): Promise<ClusterAuthority> {
  const { clusterId, random, nowMs } = of;
  const key = await newNodeKey(random);
  const subject = nameOf(`Lockstep cluster ${clusterId.slice(0, 8)}`);
  const id = keyIdentifier(key.publicKey);
  const certificate = certificateOf({
    issuer: subject,
    subject,
    publicKey: key.publicKey,
    validity: { fromMs: nowMs - backdatingMs, untilMs: nowMs + authorityYears * yearMs },
    extensions: [authorityUsage, authorityConstraints(0), subjectKeyIdentifier(id), authorityKeyIdentifier(id)],
    key: signingKeyOf(key.pkcs8),
    random,
  });
  return { certificate, pkcs8: key.pkcs8 };
}

export interface NodeCertificateAsked {
  readonly publicKey: PublicKey;
  readonly name: string;
  /** Host names and addresses of its doors. */
  readonly hosts: readonly string[];
  readonly nowMs: number;
  readonly random: Random;
}

/** A node's certificate, in DER. It is good for long: what ends a node's membership is its removal. */
export function issueNodeCertificate(authority: ClusterAuthority, asked: NodeCertificateAsked): Buffer {
  const { publicKey, nowMs, random } = asked;
  const issuer = parseCertificate(authority.certificate, 'the cluster’s authority');
  return certificateOf({
    issuer: issuer.subject,
    subject: nameOf(asked.name),
    publicKey,
    validity: {
      fromMs: nowMs - backdatingMs,
      untilMs: Math.min(nowMs + nodeCertificateYears * yearMs, issuer.notAfterMs),
    },
    extensions: [
      ...leafExtensions(asked),
      subjectKeyIdentifier(keyIdentifier(publicKey)),
      authorityKeyIdentifier(issuer.subjectKeyId),
    ],
    key: signingKeyOf(authority.pkcs8),
    random,
  });
}

/** A certificate that a node signs for its own key, before it has joined, in DER. */
export function selfSignedCertificate(key: KeyPair, asked: Omit<NodeCertificateAsked, 'publicKey'>): Buffer {
  const subject = nameOf(asked.name);
  return certificateOf({
    issuer: subject,
    subject,
    publicKey: key.publicKey,
    validity: { fromMs: asked.nowMs - backdatingMs, untilMs: asked.nowMs + nodeCertificateYears * yearMs },
    extensions: [
      ...leafExtensions({ ...asked, publicKey: key.publicKey }),
      subjectKeyIdentifier(keyIdentifier(key.publicKey)),
    ],
    key: signingKeyOf(key.pkcs8),
    random: asked.random,
  });
}

/** A request for a certificate (PKCS #10, RFC 2986), in DER, signed by the key that it is for. */
export function nodeRequest(key: { readonly spki: Uint8Array; readonly pkcs8: Uint8Array }, name: string): Buffer {
  const signing = signingKeyOf(key.pkcs8);
  const toBeSigned = sequence(integer(0), nameOf(name), key.spki, explicit(0));
  return signed(toBeSigned, signing, signatureAlgorithm(signing.record, 0));
}

function leafExtensions({ publicKey, hosts }: NodeCertificateAsked): readonly Der[] {
  const purposes = { server_flag: true, client_flag: true, code_signing_flag: false, email_protection_flag: false };
  const names = alternativeNames(hosts);
  return [
    leafConstraints,
    keyUsage([0], publicKey.type),
    extendedKeyUsage({ ...purposes, ext_key_usage: [], ext_key_usage_oids: [] }),
    nameCount(names) === 0 ? undefined : subjectAltName(names, { isSubjectEmpty: false }),
  ].filter((extension) => extension !== undefined);
}

function alternativeNames(hosts: readonly string[]): typeof noNames {
  const distinct = [...new Set(hosts)];
  const ips = distinct.map(ipBytes).filter((bytes) => bytes !== undefined);
  return { ...noNames, dns: distinct.filter((host) => ipBytes(host) === undefined), ips };
}

interface CertificateParts {
  readonly issuer: Der;
  readonly subject: Der;
  readonly publicKey: PublicKey;
  readonly validity: { readonly fromMs: number; readonly untilMs: number };
  readonly extensions: readonly Der[];
  readonly key: SigningKey;
  readonly random: Random;
}

function certificateOf(parts: CertificateParts): Buffer {
  const { issuer, subject, publicKey, validity, extensions, key, random } = parts;
  const algorithm = signatureAlgorithm(key.record, 0);
  const toBeSigned = sequence(
    versionThree,
    integerOfBytes(drawSerial(random)),
    algorithm.der,
    issuer,
    sequence(time(validity.fromMs), time(validity.untilMs)),
    subject,
    publicKey.spki,
    explicit(3, sequence(...extensions)),
  );
  return signed(encode(toBeSigned), key, algorithm);
}

function nameOf(commonName: string): Der {
  return subjectName([], { commonName, serialNumber: undefined, userIds: [] });
}

function signingKeyOf(pkcs8: Uint8Array): SigningKey {
  const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' });
  return { record: { name: '', ...keySpec, pkcs8 }, key };
}
