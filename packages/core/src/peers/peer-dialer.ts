import { createSecureContext, type PeerCertificate } from 'node:tls';
import { Client, credentials } from '@grpc/grpc-js';
import type { NodeId } from '@lockstep/contract/ids';
import {
  flowControlWindowBytes,
  frameBytesMax,
  keepaliveTimeMs,
  keepaliveTimeoutMs,
  requestBytesMax,
} from './limits.ts';
import { pinOf } from './peer-pin.ts';
import type { PeerAddress } from './peers.ts';

/** This node's key and certificate, and the cluster's CA. */
export interface PeerTls {
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
}

/** A new connection each time: to exactly the node that is meant, by its pinned key. */
export interface PeerDialer {
  readonly dial: (peer: PeerAddress) => Client;
}

/** The name in the TLS handshake. No certificate is checked against it: the pin says more than a name can. */
const serverName = 'lockstep-peer';

export function peerDialer(tls: PeerTls, pins: ReadonlyMap<NodeId, string>): PeerDialer {
  const context = createSecureContext({ ca: tls.caPem, cert: tls.certPem, key: tls.keyPem, minVersion: 'TLSv1.3' });
  return {
    dial: ({ node, address }) => {
      const checkServerIdentity = (_name: string, certificate: PeerCertificate): Error | undefined => {
        if (pinOf(certificate.raw) === pins.get(node)) return undefined;
        return new Error(`the server at ${address} does not hold the key of node ${node}`);
      };
      return new Client(address, credentials.createFromSecureContext(context, { checkServerIdentity }), {
        'grpc.ssl_target_name_override': serverName,
        'grpc.default_authority': serverName,
        'grpc.max_receive_message_length': frameBytesMax,
        'grpc.max_send_message_length': requestBytesMax,
        'grpc-node.flow_control_window': flowControlWindowBytes,
        'grpc.keepalive_time_ms': keepaliveTimeMs,
        'grpc.keepalive_timeout_ms': keepaliveTimeoutMs,
        'grpc.use_local_subchannel_pool': 1,
        'grpc.enable_retries': 0,
        'grpc.service_config_disable_resolution': 1,
        'grpc.enable_http_proxy': 0,
        'grpc.enable_channelz': 0,
      });
    },
  };
}
