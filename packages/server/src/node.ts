import { LockstepError } from '@lockstep/contract/errors';
import type { DoorReply, DoorRequest } from './doors/door.ts';
import { requestsUnderWayMax } from './limits.ts';
import type { NodeContext } from './node-context.ts';
import { nodeRoute } from './node-routes.ts';
import { handleRequest } from './request.ts';

/** The one function behind both doors. */
export function nodeHandle(node: NodeContext): (request: DoorRequest) => Promise<DoorReply> {
  let underWay = 0;
  return async (request) => {
    const started = performance.now();
    if (underWay >= requestsUnderWayMax)
      return {
        kind: 'error',
        code: 'rate-limited',
        messages: [`more than ${requestsUnderWayMax} requests are under way`],
        retryAfterSeconds: 1,
      };
    underWay += 1;
    try {
      const reply = await answer(node, request);
      const code = reply.kind === 'error' ? reply.code : 'ok';
      node.metrics.requestAnswered({
        operation: request.operation,
        door: request.door,
        code,
        seconds: (performance.now() - started) / 1000,
      });
      return reply;
    } finally {
      underWay -= 1;
    }
  };
}

async function answer(node: NodeContext, request: DoorRequest): Promise<DoorReply> {
  try {
    refuseUnknownOptions(request);
    const local = nodeRoute(request);
    if (local !== undefined) return await local(node, request);
    if (!node.keeper.isInitialized)
      throw new LockstepError('not-initialized', 'the cluster is not initialized yet: run lockstep init first');
    // Vault's own words: clients match on them.
    if (node.keeper.isSealed) throw new LockstepError('sealed', 'Vault is sealed');
    return await handleRequest(node.host, request);
  } catch (error) {
    return node.host.refusalOf(error, request);
  }
}

function refuseUnknownOptions(request: DoorRequest): void {
  if (
    request.namespace !== undefined &&
    request.namespace !== '' &&
    request.namespace !== 'root' &&
    request.namespace !== '/'
  ) {
    throw new LockstepError(
      'not-found',
      `namespace "${request.namespace}" does not exist: there is only the root namespace`,
    );
  }
  if (request.wrapTtl !== undefined && request.wrapTtl !== '' && request.wrapTtl !== '0') {
    throw new LockstepError(
      'invalid-input',
      'response wrapping is not offered yet: send the request without X-Vault-Wrap-TTL',
    );
  }
}
