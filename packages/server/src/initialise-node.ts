import { randomBytes } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import { foundCluster, initReply } from './initialise-cluster.ts';
import { requestDeadlineMs } from './limits.ts';
import type { NodeContext } from './node-context.ts';
import { waitUntil } from './wait.ts';

/** `sys/init`, on any node: the keys exist nowhere before, and the cluster is initialized only when this is committed. */
export async function initialiseNode(
  node: NodeContext,
  asked: { readonly shares: number; readonly threshold: number },
): Promise<JsonObject> {
  if (node.keeper.isInitialized) throw new LockstepError('failed-precondition', 'Vault is already initialized');
  const founded = await foundCluster({
    clusterId: node.config.clusterId,
    seal: node.autoSeal === undefined ? { kind: 'shamir', ...asked } : { kind: 'auto', seal: node.autoSeal },
    nowMs: node.wallMs(),
    random: randomBytes,
  });
  await commitControl(node, founded.controlEntry);
  // Another initialization came first: these keys open nothing.
  if (!node.keeper.isInForce(founded.configuration))
    throw new LockstepError('failed-precondition', 'Vault is already initialized');
  node.log.info('cluster-initialized', { seal: founded.configuration.kind });
  founded.rootKey.wipe();
  return initReply(founded);
}

function commitControl(node: NodeContext, data: Uint8Array): Promise<void> {
  const unknown = new LockstepError(
    'outcome-unknown',
    'the initialization was not confirmed: look at seal-status before trying again',
  );
  return waitUntil<void>(
    performance.now() + requestDeadlineMs,
    (resolve, reject) =>
      node.consensus.proposeControl(data, (outcome) => {
        if (outcome.kind === 'refused')
          reject(
            new LockstepError(
              'no-leader',
              'the cluster has no leader to initialize it; nothing was changed, try again',
            ),
          );
        else if (outcome.kind === 'unknown') reject(unknown);
        else {
          node.positions.whenControl(outcome.index, outcome.term, (isOurs) => {
            if (isOurs) resolve();
            else
              reject(
                new LockstepError(
                  'no-leader',
                  'another entry took the place of the initialization; nothing was changed, try again',
                ),
              );
          });
        }
      }),
    (_, reject) => reject(unknown),
  );
}
