import type { Client } from '@lockstep/client/client';
import type { DevCluster, DevNode } from '@lockstep/server/dev/dev-cluster';
import { clientOf, type Door, doors } from '../pki-cluster.ts';

/** What a question with a token came to. */
export type Answer = 'served' | 'denied' | 'unserved';

export interface Asker {
  readonly node: DevNode;
  readonly door: Door;
  readonly ask: (token: string, deadlineMs?: number) => Promise<Answer>;
  readonly close: () => void;
}

export const probePath = 'secret/data/probe';
/** Longer than two elections: a node that was held back gets the time to answer. */
const answerWithinMs = 15_000;

/** One for each node and door, with a connection of its own. Single tries: each answer is that node's. */
export function openAskers(cluster: DevCluster): readonly Asker[] {
  return cluster.nodes.flatMap((node) =>
    doors.map((door) => {
      const client = clientOf(cluster, node, door, { attemptsMax: 1 });
      return {
        node,
        door,
        ask: (token, deadlineMs = answerWithinMs) => ask(client, token, deadlineMs),
        close: () => client.close(),
      };
    }),
  );
}

async function ask(client: Client, token: string, deadlineMs: number): Promise<Answer> {
  const outcome = await client.request('read', probePath, undefined, { token, deadlineMs });
  if (outcome.kind === 'applied') return 'served';
  // Anything else tells nothing about the token: no leader, a broken connection, a deadline.
  return outcome.kind === 'refused' && outcome.code === 'denied' ? 'denied' : 'unserved';
}
