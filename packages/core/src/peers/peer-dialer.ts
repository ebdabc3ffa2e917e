import { Client } from '@grpc/grpc-js';
import type { NodeId } from '@lockstep/contract/ids';
import {
  flowControlWindowBytes,
  frameBytesMax,
  keepaliveTimeMs,
  keepaliveTimeoutMs,
  requestBytesMax,
} from './limits.ts';
import type { PeerAddress } from './peers.ts';
import { peerContext, peerServerName, type PeerTls, PinnedCredentials } from './pinned-credentials.ts';

/** A new connection each time: to exactly the node that is meant, by its pinned key. */
export interface PeerDialer {
  readonly dial: (peer: PeerAddress) => Client;
}

export function peerDialer(tls: PeerTls, pins: ReadonlyMap<NodeId, string>): PeerDialer {
  const context = peerContext(tls);
  return {
    dial: ({ node, address }) => {
      const isKnown = (pin: string): boolean => pin === pins.get(node);
      const refusal = `the server at ${address} does not hold the key of node ${node}`;
      return new Client(address, new PinnedCredentials({ context, isKnown, refusal }), {
        'grpc.ssl_target_name_override': peerServerName,
        'grpc.default_authority': peerServerName,
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
