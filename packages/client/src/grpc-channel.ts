import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { checkServerIdentity } from 'node:tls';
import { ChannelCredentials, type ChannelOptions, connectivityState, Client as GrpcClient } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import type { Address } from './addresses.ts';
import { connectMsMax, replyBytesMax } from './limits.ts';

export type Method = MethodDefinition<object, object>;

/** The calls that this client makes. */
export function loadMethods(): { readonly call: Method; readonly issueCertificate: Method } {
  const root = dirname(createRequire(import.meta.url).resolve('@lockstep/protos/package.json'));
  const files = ['lockstep/sys/v1/sys.proto', 'lockstep/pki/v1/pki.proto'];
  const protos = loadSync(files, { includeDirs: [root], keepCase: true, longs: Number, enums: String, defaults: true });
  const method = (service: string, name: string): Method => {
    const definition = protos[service];
    const found = definition === undefined || 'format' in definition ? undefined : definition[name];
    if (found === undefined) throw new Error(`protos have no ${service}.${name}`);
    return found;
  };
  return {
    call: method('lockstep.sys.v1.SysService', 'Call'),
    issueCertificate: method('lockstep.pki.v1.PkiService', 'IssueCertificate'),
  };
}

/** One node's connection, kept open. */
export function openChannel(address: Address, ca: string | undefined): GrpcClient {
  const options: ChannelOptions = {
    'grpc.max_receive_message_length': replyBytesMax,
    // Retries are Attempts' business: it knows what may be repeated.
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1_000,
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_channelz': 0,
    'grpc.enable_http_proxy': 0,
    // Without TLS names an IP address is no server name (RFC 6066 §3); the certificate is still checked against the address.
    ...(address.isIp && !address.isPlain ? { 'grpc.ssl_target_name_override': 'node.lockstep.invalid' } : {}),
  };
  const target = address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
  const credentials = address.isPlain
    ? ChannelCredentials.createInsecure()
    : ChannelCredentials.createSsl(ca === undefined ? null : Buffer.from(ca), null, null, {
        checkServerIdentity: (_name, certificate) => checkServerIdentity(address.host, certificate),
      });
  return new GrpcClient(target, credentials, options);
}

/** A point in time as grpc-js wants it: by the wall clock, against which it then measures. */
export function deadlineIn(ms: number): number {
  return Date.now() + ms;
}

/** Whether there is a connection, waiting for one that is being made. A request is only sent over one: so what fails before was not sent. */
export async function isConnected(client: GrpcClient, withinMs: number): Promise<boolean> {
  const channel = client.getChannel();
  let state = channel.getConnectivityState(true);
  const until = deadlineIn(Math.min(withinMs, connectMsMax));
  while (state !== connectivityState.READY) {
    if (state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) return false;
    const before = state;
    const isLate = await new Promise<boolean>((resolve) => {
      channel.watchConnectivityState(before, until, (fault) => resolve(fault !== undefined));
    });
    if (isLate) return false;
    state = channel.getConnectivityState(true);
  }
  return true;
}
