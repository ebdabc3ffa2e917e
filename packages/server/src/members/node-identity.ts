import { existsSync, readFileSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '@lockstep/contract/errors';
import { isObject } from '@lockstep/contract/fields';
import { NodeId } from '@lockstep/contract/ids';
import { syncDirectory } from '@lockstep/core/log/sync-directory';
import type { MemberConfig } from '../config.ts';

// <data_dir>/identity/node.key      made first: this node's key, which never leaves the machine
//                     claim.json    who it wants to be; the same however often it tries to join
//                     node.pem      its certificate, and ca.pem that of the cluster's authority
//                     authority.key only of the node that founded the cluster, until its first invitation brings it into the state
//                     node.json     made last: from then on the node is who it says

/** Who a node is, once it has founded a cluster or joined one. */
export interface NodeIdentity {
  readonly clusterId: string;
  readonly node: NodeId;
  readonly incarnation: number;
  readonly isFounder: boolean;
  /** The founder alone; or those that a newcomer was told of. */
  readonly members: readonly MemberConfig[];
}

/** What a node draws for itself, before anybody knows it. */
export interface NodeClaim {
  readonly node: NodeId;
  readonly incarnation: number;
}

export interface NodeKeys {
  readonly keyPem: string;
  readonly certificatePem: string;
  readonly authorityPem: string;
}

/** The part of a data directory that says whose it is. */
export class IdentityFolder {
  readonly path: string;

  constructor(dataDirectory: string) {
    this.path = join(dataDirectory, 'identity');
  }

  /** Undefined in a directory whose node has neither founded nor joined yet. */
  read(): NodeIdentity | undefined {
    const text = this.#read('node.json');
    return text === undefined ? undefined : identityOf(JSON.parse(text), this.path);
  }

  readClaim(): NodeClaim | undefined {
    const text = this.#read('claim.json');
    if (text === undefined) return undefined;
    const fields = fieldsOf(JSON.parse(text), this.path);
    return {
      node: NodeId(numberOf(fields['node'], this.path)),
      incarnation: numberOf(fields['incarnation'], this.path),
    };
  }

  readKey(): string | undefined {
    return this.#read('node.key');
  }

  /** The key of the cluster's authority, in PEM, where this node founded the cluster and has invited nobody yet. */
  readAuthorityKey(): string | undefined {
    return this.#read('authority.key');
  }

  /** Throws where there is an identity, and not all that belongs to it. */
  readKeys(): NodeKeys {
    const [keyPem, certificatePem, authorityPem] = ['node.key', 'node.pem', 'ca.pem'].map((name) => this.#read(name));
    if (keyPem === undefined || certificatePem === undefined || authorityPem === undefined)
      throw new LockstepError('failed-precondition', `${this.path} is not whole: node.key, node.pem or ca.pem is gone`);
    return { keyPem, certificatePem, authorityPem };
  }

  /** Durable before it resolves: a node that asks to join must come back as the same one. */
  async claim(claim: NodeClaim, keyPem: string): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    await this.write('node.key', asFile(keyPem));
    await this.write('claim.json', `${JSON.stringify(claim)}\n`);
  }

  async settle(identity: NodeIdentity, keys: Omit<NodeKeys, 'keyPem'>): Promise<void> {
    await this.write('node.pem', asFile(keys.certificatePem));
    await this.write('ca.pem', asFile(keys.authorityPem));
    await this.write('node.json', `${JSON.stringify(identity, undefined, 2)}\n`);
  }

  /** Under its name only when it is whole. */
  async write(name: string, text: string): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    const unfinished = join(this.path, `${name}.new`);
    const file = await open(unfinished, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, join(this.path, name));
    await syncDirectory(this.path);
  }

  async forgetAuthorityKey(): Promise<void> {
    await rm(join(this.path, 'authority.key'), { force: true });
  }

  #read(name: string): string | undefined {
    const file = join(this.path, name);
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  }
}

/** With a newline at the end: chains are files put one behind the other. */
function asFile(pem: string): string {
  return `${pem.trimEnd()}\n`;
}

function identityOf(value: unknown, where: string): NodeIdentity {
  const fields = fieldsOf(value, where);
  const { members, clusterId, isFounder } = fields;
  if (!Array.isArray(members) || typeof clusterId !== 'string' || typeof isFounder !== 'boolean')
    throw unreadable(where);
  return {
    clusterId,
    node: NodeId(numberOf(fields['node'], where)),
    incarnation: numberOf(fields['incarnation'], where),
    isFounder,
    members: members.map((member: unknown) => memberOf(member, where)),
  };
}

function memberOf(value: unknown, where: string): MemberConfig {
  const fields = fieldsOf(value, where);
  const text = (name: string): string => {
    const given = fields[name];
    if (typeof given !== 'string') throw unreadable(where);
    return given;
  };
  return {
    id: NodeId(numberOf(fields['id'], where)),
    name: text('name'),
    peerAddress: text('peerAddress'),
    pin: text('pin'),
    apiAddress: text('apiAddress'),
    grpcAddress: text('grpcAddress'),
  };
}

function fieldsOf(value: unknown, where: string): { readonly [name: string]: unknown } {
  if (!isObject(value)) throw unreadable(where);
  return value;
}

function numberOf(value: unknown, where: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) throw unreadable(where);
  return value;
}

function unreadable(where: string): LockstepError {
  return new LockstepError('damaged', `${where} holds no identity that can be read: put back the files as they were`);
}
