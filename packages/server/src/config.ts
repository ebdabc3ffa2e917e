import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LockstepError } from '@lockstep/contract/errors';
import { isObject } from '@lockstep/contract/fields';
import { NodeId } from '@lockstep/contract/ids';
import { ballastBytes, ballastBytesMax, stopFreeBytes, stopFreeBytesMin, warnFreeBytes } from './disk/limits.ts';

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Undefined: plain text, which only a `dev` node on loopback may offer. */
  readonly tls: { readonly certPem: string; readonly keyPem: string } | undefined;
}

export interface MemberConfig {
  readonly id: NodeId;
  readonly name: string;
  readonly peerAddress: string;
  /** SHA-256 of the member's public key (SubjectPublicKeyInfo), hex. */
  readonly pin: string;
  /** Where clients reach its HTTP door: `https://host:port`. */
  readonly apiAddress: string;
}

export type SealConfig = { readonly type: 'shamir' } | { readonly type: 'static'; readonly keyFile: string };

/** When a disk is too full; see docs/disk.md. */
export interface DiskConfig {
  readonly warnFreeBytes: number;
  readonly stopFreeBytes: number;
  /** 0: no ballast. */
  readonly ballastBytes: number;
}

/** One node's configuration, checked. */
export interface NodeConfig {
  readonly clusterId: string;
  readonly node: { readonly id: NodeId; readonly name: string };
  readonly dataDirectory: string;
  readonly disk: DiskConfig;
  readonly http: Listener;
  readonly grpc: Listener;
  readonly peer: {
    readonly host: string;
    readonly port: number;
    readonly certPem: string;
    readonly keyPem: string;
  };
  /** The founding members, this node included. */
  readonly members: readonly MemberConfig[];
  readonly seal: SealConfig;
  readonly audit: readonly { readonly type: 'file'; readonly path: string }[];
  /** SHA-256 (hex) of a bearer token that reads `sys/metrics` on this node even while it is sealed; undefined: none does. */
  readonly metricsTokenHash: string | undefined;
  readonly isDev: boolean;
}

/** Reads a node's configuration (JSON). Relative paths are relative to the file. Refuses unknown keys, naming them. */
export function readConfig(file: string): NodeConfig {
  const read = new Reader(file);
  const root = read.object(read.parsed, 'the configuration', [
    'cluster_id',
    'node',
    'data_dir',
    'disk',
    'http',
    'grpc',
    'peer',
    'members',
    'seal',
    'audit',
    'metrics_token_sha256',
    'dev',
  ]);
  const node = read.object(root['node'], 'node', ['id', 'name']);
  const peer = read.object(root['peer'], 'peer', ['address', 'cert_file', 'key_file']);
  const isDev = root['dev'] === true;
  const config: NodeConfig = {
    clusterId: read.match(root['cluster_id'], 'cluster_id', /^[0-9a-f]{32}$/, '32 hexadecimal digits'),
    node: { id: read.nodeId(node['id'], 'node.id'), name: read.text(node['name'], 'node.name') },
    dataDirectory: read.path(root['data_dir'], 'data_dir'),
    disk: read.disk(root['disk'], isDev),
    http: read.listener(root['http'], 'http', isDev),
    grpc: read.listener(root['grpc'], 'grpc', isDev),
    peer: {
      ...read.address(peer['address'], 'peer.address'),
      certPem: read.file(peer['cert_file'], 'peer.cert_file'),
      keyPem: read.file(peer['key_file'], 'peer.key_file'),
    },
    members: read.list(root['members'], 'members').map((member, at) => read.member(member, `members[${at}]`)),
    seal: read.seal(root['seal'], isDev),
    audit: read.list(root['audit'], 'audit').map((sink, at) => read.auditSink(sink, `audit[${at}]`)),
    metricsTokenHash:
      root['metrics_token_sha256'] === undefined
        ? undefined
        : read.match(root['metrics_token_sha256'], 'metrics_token_sha256', /^[0-9a-f]{64}$/, '64 hexadecimal digits'),
    isDev,
  };
  if (!config.members.some((member) => member.id === config.node.id)) read.refuse('members', 'must include this node');
  if (new Set(config.members.map((member) => member.id)).size !== config.members.length)
    read.refuse('members', 'must have different ids');
  if (config.audit.length === 0)
    read.refuse('audit', 'must name at least one sink: no request is answered without an audit line');
  return config;
}

class Reader {
  readonly parsed: unknown;
  readonly #file: string;

  constructor(file: string) {
    this.#file = resolve(file);
    try {
      this.parsed = JSON.parse(readFileSync(this.#file, 'utf8'));
    } catch (cause) {
      throw new LockstepError(
        'invalid-input',
        `${file} can't be read as JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause },
      );
    }
  }

  refuse(name: string, rule: string): never {
    throw new LockstepError('invalid-input', `${this.#file}: ${name} ${rule}`);
  }

  object(raw: unknown, name: string, known: readonly string[]): { readonly [key: string]: unknown } {
    if (!isObject(raw)) return this.refuse(name, 'must be an object');
    const unknown = Object.keys(raw).filter((key) => !known.includes(key));
    if (unknown.length > 0)
      this.refuse(`${name}`, `has unknown keys: ${unknown.join(', ')} (known: ${known.join(', ')})`);
    return raw;
  }

  list(raw: unknown, name: string): readonly unknown[] {
    return Array.isArray(raw) ? raw : this.refuse(name, 'must be a list');
  }

  text(raw: unknown, name: string): string {
    return typeof raw === 'string' && raw !== '' ? raw : this.refuse(name, 'must be a string, not empty');
  }

  match(raw: unknown, name: string, pattern: RegExp, rule: string): string {
    const value = this.text(raw, name);
    return pattern.test(value) ? value : this.refuse(name, `must be ${rule}`);
  }

  nodeId(raw: unknown, name: string): NodeId {
    if (typeof raw !== 'number' || !Number.isSafeInteger(raw) || raw < 1)
      return this.refuse(name, 'must be a whole number from 1 to 2^53-1');
    return NodeId(raw);
  }

  path(raw: unknown, name: string): string {
    return resolve(dirname(this.#file), this.text(raw, name));
  }

  file(raw: unknown, name: string): string {
    const path = this.path(raw, name);
    try {
      return readFileSync(path, 'utf8');
    } catch (cause) {
      return this.refuse(
        name,
        `names ${path}, which can't be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      );
    }
  }

  address(raw: unknown, name: string): { host: string; port: number } {
    const found = /^(\[[0-9a-fA-F:]+\]|[^:\s]+):(\d{1,5})$/.exec(this.text(raw, name));
    const port = Number(found?.[2]);
    if (found?.[1] === undefined || port > 65_535) return this.refuse(name, 'must be host:port');
    return { host: found[1].replace(/^\[|\]$/g, ''), port };
  }

  listener(raw: unknown, name: string, isDev: boolean): Listener {
    const listener = this.object(raw, name, ['address', 'tls_cert_file', 'tls_key_file', 'tls_disable']);
    const address = this.address(listener['address'], `${name}.address`);
    if (listener['tls_disable'] === true) {
      const isLoopback = address.host === 'localhost' || address.host === '::1' || address.host.startsWith('127.');
      if (!isDev || !isLoopback) return this.refuse(`${name}.tls_disable`, 'is only for dev on a loopback address');
      return { ...address, tls: undefined };
    }
    return {
      ...address,
      tls: {
        certPem: this.file(listener['tls_cert_file'], `${name}.tls_cert_file`),
        keyPem: this.file(listener['tls_key_file'], `${name}.tls_key_file`),
      },
    };
  }

  member(raw: unknown, name: string): MemberConfig {
    const member = this.object(raw, name, ['id', 'name', 'peer_address', 'pin', 'api_address']);
    const peer = this.address(member['peer_address'], `${name}.peer_address`);
    return {
      id: this.nodeId(member['id'], `${name}.id`),
      name: this.text(member['name'], `${name}.name`),
      peerAddress: `${peer.host}:${peer.port}`,
      pin: this.match(
        member['pin'],
        `${name}.pin`,
        /^[0-9a-f]{64}$/,
        '64 hexadecimal digits (the SHA-256 of its public key)',
      ),
      apiAddress: this.match(
        member['api_address'],
        `${name}.api_address`,
        /^https?:\/\/\S+$/,
        'a URL such as https://host:8200',
      ),
    };
  }

  disk(raw: unknown, isDev: boolean): DiskConfig {
    const disk = this.object(raw ?? {}, 'disk', ['warn_free_bytes', 'stop_free_bytes', 'ballast_bytes']);
    const bytes = (name: string, otherwise: number, bounds: { readonly min: number; readonly max: number }): number => {
      const value = disk[name] ?? otherwise;
      const { min, max } = bounds;
      if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
      return this.refuse(`disk.${name}`, `must be a whole number of bytes from ${min} to ${max}`);
    };
    const any = Number.MAX_SAFE_INTEGER;
    const stop = bytes('stop_free_bytes', stopFreeBytes, { min: stopFreeBytesMin, max: any });
    const warn = bytes('warn_free_bytes', Math.max(warnFreeBytes, stop), { min: stop, max: any });
    // A development cluster's three nodes share a disk that is not theirs.
    const ballast = bytes('ballast_bytes', isDev ? 0 : ballastBytes, { min: 0, max: ballastBytesMax });
    return { warnFreeBytes: warn, stopFreeBytes: stop, ballastBytes: ballast };
  }

  seal(raw: unknown, isDev: boolean): SealConfig {
    const seal = this.object(raw, 'seal', ['type', 'key_file']);
    if (seal['type'] === 'shamir') return { type: 'shamir' };
    if (seal['type'] !== 'static') return this.refuse('seal.type', 'must be shamir or, for dev, static');
    if (!isDev)
      return this.refuse('seal.type', 'static keeps the key beside the data, so only dev accepts it; use shamir');
    return { type: 'static', keyFile: this.path(seal['key_file'], 'seal.key_file') };
  }

  auditSink(raw: unknown, name: string): { readonly type: 'file'; readonly path: string } {
    const sink = this.object(raw, name, ['type', 'path']);
    if (sink['type'] !== 'file') return this.refuse(`${name}.type`, 'must be file');
    return { type: 'file', path: this.path(sink['path'], `${name}.path`) };
  }
}
