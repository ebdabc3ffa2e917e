import type { Client } from '@lockstep/client/client';
import { openClient } from '@lockstep/client/grpc-client';
import { openHttpClient } from '@lockstep/client/http-client';
import type { DevCluster } from '@lockstep/server/dev/dev-cluster';
import { patientDeadlineMs } from './limits.ts';

/** Clients of all nodes, one for each door. */
export function openPatientClients(cluster: DevCluster): readonly Client[] {
  const settings = { caFile: cluster.files.caFile, token: cluster.rootToken, deadlineMs: patientDeadlineMs };
  return [
    openClient({ ...settings, addresses: cluster.nodes.map(({ grpc }) => grpc) }),
    openHttpClient({ ...settings, addresses: cluster.nodes.map(({ http }) => http) }),
  ];
}
