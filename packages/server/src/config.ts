import { LockstepError } from '@lockstep/contract/errors';
import { isObject } from '@lockstep/contract/fields';
import type { NodeId } from '@lockstep/contract/ids';
import { ConfigReader } from './config-reader.ts';

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
  /** host:port of its gRPC door; empty where nobody said. */
  readonly grpcAddress: string;
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
  /** The founding members, this node included; or, for a node that joins, those that it hears from first. */
  readonly members: readonly MemberConfig[];
  readonly isJoining: boolean;
  /** Of the disk, where it was drawn before there was a log. */
  readonly incarnation: number | undefined;
  readonly seal: SealConfig;
  readonly audit: readonly { readonly type: 'file'; readonly path: string }[];
  /** SHA-256 (hex) of a bearer token that reads `sys/metrics` on this node even while it is sealed; undefined: none does. */
  readonly metricsTokenHash: string | undefined;
  readonly isDev: boolean;
}

/** A node whose configuration does not say who it is: it keeps that in its data directory, once it has founded a cluster or joined one. */
export interface KeptNodeConfig
  extends Omit<NodeConfig, 'clusterId' | 'node' | 'http' | 'grpc' | 'peer' | 'members' | 'isJoining' | 'incarnation'> {
  readonly name: string;
  /** Without TLS of their own the doors use the node's certificate. */
  readonly http: KeptListener;
  readonly grpc: KeptListener;
  readonly peer: { readonly host: string; readonly port: number };
  /** Where the others and the clients reach it. */
  readonly advertised: { readonly peer: string; readonly api: string; readonly grpc: string };
  readonly joinTokenFile: string | undefined;
}

export interface KeptListener {
  readonly host: string;
  readonly port: number;
  readonly tls: Listener['tls'] | 'node-certificate';
}

export type StartConfig =
  | { readonly kind: 'configured'; readonly config: NodeConfig }
  | { readonly kind: 'kept'; readonly config: KeptNodeConfig };

const commonKeys = ['node', 'data_dir', 'disk', 'http', 'grpc', 'peer', 'seal', 'audit', 'metrics_token_sha256', 'dev'];

/** Reads the configuration of a node whose members are configured. */
export function readConfig(file: string): NodeConfig {
  const start = readStart(file);
  if (start.kind === 'configured') return start.config;
  throw new LockstepError('invalid-input', `${file}: members must be a list`);
}

/** Reads a node's configuration (JSON). Relative paths are relative to the file. Refuses unknown keys, naming them. `given` goes before it. */
export function readStart(file: string, given: { readonly joinTokenFile?: string | undefined } = {}): StartConfig {
  const read = new ConfigReader(file);
  const isConfigured = isObject(read.parsed) && read.parsed['members'] !== undefined;
  const own = isConfigured ? ['cluster_id', 'members'] : ['join_token_file'];
  const root = read.object(read.parsed, 'the configuration', [...commonKeys, ...own]);
  const common = readCommon(read, root);
  if (!isConfigured) {
    const config = readKept(read, root, common);
    return { kind: 'kept', config: { ...config, joinTokenFile: given.joinTokenFile ?? config.joinTokenFile } };
  }
  if (given.joinTokenFile !== undefined)
    read.refuse('members', 'must not be given where the node is to join by a token');
  return { kind: 'configured', config: readConfigured(read, root, common) };
}

type Root = { readonly [key: string]: unknown };
type Common = Pick<NodeConfig, 'dataDirectory' | 'disk' | 'seal' | 'audit' | 'metricsTokenHash' | 'isDev'>;

function readCommon(read: ConfigReader, root: Root): Common {
  const isDev = root['dev'] === true;
  const common: Common = {
    dataDirectory: read.path(root['data_dir'], 'data_dir'),
    disk: read.disk(root['disk'], isDev),
    seal: read.seal(root['seal'], isDev),
    audit: read.list(root['audit'], 'audit').map((sink, at) => read.auditSink(sink, `audit[${at}]`)),
    metricsTokenHash:
      root['metrics_token_sha256'] === undefined
        ? undefined
        : read.match(root['metrics_token_sha256'], 'metrics_token_sha256', /^[0-9a-f]{64}$/, '64 hexadecimal digits'),
    isDev,
  };
  if (common.audit.length === 0)
    read.refuse('audit', 'must name at least one sink: no request is answered without an audit line');
  return common;
}

function readConfigured(read: ConfigReader, root: Root, common: Common): NodeConfig {
  const node = read.object(root['node'], 'node', ['id', 'name']);
  const peer = read.object(root['peer'], 'peer', ['address', 'cert_file', 'key_file']);
  const config: NodeConfig = {
    ...common,
    clusterId: read.match(root['cluster_id'], 'cluster_id', /^[0-9a-f]{32}$/, '32 hexadecimal digits'),
    node: { id: read.nodeId(node['id'], 'node.id'), name: read.text(node['name'], 'node.name') },
    http: read.listener(root['http'], 'http', common.isDev),
    grpc: read.listener(root['grpc'], 'grpc', common.isDev),
    peer: {
      ...read.address(peer['address'], 'peer.address'),
      certPem: read.file(peer['cert_file'], 'peer.cert_file'),
      keyPem: read.file(peer['key_file'], 'peer.key_file'),
    },
    members: read.list(root['members'], 'members').map((member, at) => read.member(member, `members[${at}]`)),
    isJoining: false,
    incarnation: undefined,
  };
  if (!config.members.some((member) => member.id === config.node.id)) read.refuse('members', 'must include this node');
  if (new Set(config.members.map((member) => member.id)).size !== config.members.length)
    read.refuse('members', 'must have different ids');
  return config;
}

function readKept(read: ConfigReader, root: Root, common: Common): KeptNodeConfig {
  const node = read.object(root['node'], 'node', ['name']);
  const peer = read.object(root['peer'], 'peer', ['address', 'advertise']);
  const http = read.keptListener(root['http'], 'http', common.isDev);
  const grpc = read.keptListener(root['grpc'], 'grpc', common.isDev);
  const listening = read.address(peer['address'], 'peer.address');
  const scheme = http.listener.tls === undefined ? 'http' : 'https';
  return {
    ...common,
    name: read.match(
      node['name'],
      'node.name',
      /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
      'at most 63 letters, digits, dots, dashes and underscores',
    ),
    http: http.listener,
    grpc: grpc.listener,
    peer: listening,
    advertised: {
      peer: read.advertised(peer['advertise'], 'peer', listening),
      api: `${scheme}://${read.advertised(http.advertise, 'http', http.listener)}`,
      grpc: read.advertised(grpc.advertise, 'grpc', grpc.listener),
    },
    joinTokenFile:
      root['join_token_file'] === undefined ? undefined : read.path(root['join_token_file'], 'join_token_file'),
  };
}
