import type { DevCluster, DevNode } from '@lockstep/server/dev/dev-cluster';
import { type Answer, askWith } from '../grants.ts';
import { clientOf, type Door, doors } from '../pki-cluster.ts';

export interface Asker {
  readonly node: DevNode;
  readonly door: Door;
  readonly ask: (token: string, deadlineMs?: number) => Promise<Answer>;
  readonly close: () => void;
}

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
        ask: (token, deadlineMs = answerWithinMs) => askWith(client, token, deadlineMs),
        close: () => client.close(),
      };
    }),
  );
}
