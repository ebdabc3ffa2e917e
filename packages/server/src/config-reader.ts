import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LockstepError } from '@lockstep/contract/errors';
import { isObject } from '@lockstep/contract/fields';
import { NodeId } from '@lockstep/contract/ids';
import type { DiskConfig, KeptListener, Listener, MemberConfig, SealConfig } from './config.ts';
import { ballastBytes, ballastBytesMax, stopFreeBytes, stopFreeBytesMin, warnFreeBytes } from './disk/limits.ts';

/** Reads the values of one configuration file, and refuses each by its name and rule. */
export class ConfigReader {
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

  /** A node that keeps who it is may have its certificate do for its doors. */
  keptListener(
    raw: unknown,
    name: string,
    isDev: boolean,
  ): { readonly listener: KeptListener; readonly advertise: unknown } {
    const given = this.object(raw, name, ['address', 'advertise', 'tls_cert_file', 'tls_key_file', 'tls_disable']);
    const { advertise, ...rest } = given;
    const hasTls = ['tls_cert_file', 'tls_key_file', 'tls_disable'].some((key) => rest[key] !== undefined);
    if (hasTls) return { listener: this.listener(rest, name, isDev), advertise };
    return { listener: { ...this.address(rest['address'], `${name}.address`), tls: 'node-certificate' }, advertise };
  }

  /** host:port where others reach what listens there. */
  advertised(raw: unknown, name: string, listening: { readonly host: string; readonly port: number }): string {
    if (raw !== undefined) {
      const { host, port } = this.address(raw, `${name}.advertise`);
      return hostAndPort(host, port);
    }
    const isAny = listening.host === '0.0.0.0' || listening.host === '::';
    if (isAny) return this.refuse(`${name}.advertise`, 'must say at which host:port others reach this node');
    return hostAndPort(listening.host, listening.port);
  }

  hostAndPort(raw: unknown, name: string): string {
    const { host, port } = this.address(raw, name);
    return hostAndPort(host, port);
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
    const member = this.object(raw, name, ['id', 'name', 'peer_address', 'pin', 'api_address', 'grpc_address']);
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
      grpcAddress:
        member['grpc_address'] === undefined ? '' : this.hostAndPort(member['grpc_address'], `${name}.grpc_address`),
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

function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
