import type { DevCluster } from '@lockstep/server/dev/dev-cluster';
import { missingFrom } from '../demo/read-back.ts';
import { clientOf } from '../pki-cluster.ts';
import { openPatientClients } from './patient-clients.ts';
import type { Loads } from './workers.ts';

export interface Checked {
  readonly violations: readonly string[];
  readonly operations: number;
  /** Operations whose outcome is unknown. */
  readonly open: number;
  readonly stored: number;
  readonly lost: number;
}

const readersPerNode = 16;

/** Reads everything back from every node, once no fault is left and no load runs, and holds it to what was said. */
export async function checkLoads(cluster: DevCluster, { registers, certificates, grants }: Loads): Promise<Checked> {
  const violations: string[] = [];
  for (const node of cluster.nodes) {
    const client = clientOf(cluster, node, 'grpc');
    const unread = await registers.readAll(client, readersPerNode);
    if (unread > 0) violations.push(`${node.name} did not answer ${unread} reads after all faults had ended`);
    client.close();
  }
  const lost = await missingFrom(cluster, certificates.ledger.certificates);
  violations.push(...lost.map((serial) => `lost: ${serial}`));
  const patient = openPatientClients(cluster);
  const [client] = patient;
  if (client === undefined) throw new Error('there is a client of every node');
  const effects = await certificates.check(client);
  for (const one of patient) one.close();
  const order = registers.check();
  violations.push(...effects.violations, ...order.violations, ...grants.violations);
  return {
    violations,
    operations: order.operations,
    open: order.overlapping,
    stored: effects.stored,
    lost: lost.length,
  };
}

type Row = readonly [name: string, value: string];

export function loadRows({ registers, certificates, grants }: Loads, checked: Checked): readonly Row[] {
  const { counts } = registers;
  const { ledger, retried } = certificates;
  return [
    ['register operations', `${checked.operations} checked, ${checked.open} of them with an unknown outcome`],
    [
      '',
      `${counts.reads} reads, ${counts.writes} writes, ${counts.checkAndSets} check-and-sets, ${counts.mismatches} mismatches`,
    ],
    ['', `${counts.repeats} writes sent twice under one key, ${counts.refused} refused`],
    ['certificates', `${ledger.certificates.size} acknowledged, ${ledger.refused} refused, ${ledger.unknown} unknown`],
    ['', `${checked.stored} stored, ${retried} of them superseded by a repeat`],
    [
      'rights taken away',
      `${grants.counts.taken}, then ${grants.counts.denied} questions denied, ${grants.counts.unserved} not answered`,
    ],
  ];
}
