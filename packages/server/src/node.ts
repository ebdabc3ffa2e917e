import type { Reply } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { quarantinedError } from './disk/disk-errors.ts';
import type { DoorReply, DoorRequest, OnRefused, RefusedRequest } from './doors/door.ts';
import { requestsUnderWayMax } from './limits.ts';
import { isOutside, outsideError } from './members/outside.ts';
import type { NodeContext } from './node-context.ts';
import { nodeRoute } from './node-routes.ts';
import { handleRequest } from './request.ts';
import { damagedState } from './state/state-damage.ts';

/** The one function behind both doors. */
export function nodeHandle(node: NodeContext): (request: DoorRequest) => Promise<DoorReply> {
  let underWay = 0;
  return async (request) => {
    const started = performance.now();
    const isOneTooMany = underWay >= requestsUnderWayMax;
    underWay += 1;
    node.metrics.requestBegan();
    try {
      const reply = isOneTooMany ? await audited(node, request, tooMany) : await answer(node, request);
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
      node.metrics.requestEnded();
    }
  };
}

const tooMany: RefusedRequest['refusal'] = {
  kind: 'error',
  code: 'rate-limited',
  messages: [`more than ${requestsUnderWayMax} requests are under way`],
  retryAfterSeconds: 1,
};

/** What a door refuses by itself is audited and counted too. */
export function nodeRefused(node: NodeContext): OnRefused {
  return async (refused) => {
    const { operation = 'unknown', door, refusal } = refused;
    node.metrics.requestRefused({ operation, door, code: refusal.code });
    return await inAudit(node, refused, refusal, () => node.host.audit.refusedAtDoor(refused));
  };
}

async function audited(
  node: NodeContext,
  request: DoorRequest,
  refusal: RefusedRequest['refusal'],
): Promise<RefusedRequest['refusal']> {
  const { audit } = node.host;
  return await inAudit(node, request, refusal, () => (audit.begun(request) ?? audit.begin(request)).refusal(refusal));
}

/** A sealed node has no key to audit with. Fail closed: a refusal that can't be audited tells the caller nothing but that. */
async function inAudit(
  node: NodeContext,
  request: Pick<DoorRequest, 'requestId'>,
  refusal: RefusedRequest['refusal'],
  write: () => Promise<void>,
): Promise<RefusedRequest['refusal']> {
  if (node.keeper.isSealed) return refusal;
  try {
    await write();
    return refusal;
  } catch (error) {
    return node.host.refusalOf(error, request);
  }
}

async function answer(node: NodeContext, request: DoorRequest): Promise<DoorReply> {
  try {
    refuseUnknownOptions(request);
    const local = nodeRoute(request);
    if (local !== undefined) {
      const reply = await local(node, request);
      await node.host.audit.begun(request)?.response(repliedBy(reply));
      return reply;
    }
    const quarantine = node.consensus.quarantine();
    if (quarantine !== undefined) throw quarantinedError(quarantine);
    const standing = node.consensus.standing();
    if (isOutside(standing)) throw outsideError(standing);
    const damage = node.stateDamage();
    if (damage !== undefined) throw damagedState(damage);
    if (!node.keeper.isInitialized)
      throw new LockstepError('not-initialized', 'the cluster is not initialized yet: run lockstep init first');
    // Vault's own words: clients match on them.
    if (node.keeper.isSealed) throw new LockstepError('sealed', 'Vault is sealed');
    return await handleRequest(node.host, request);
  } catch (error) {
    return await audited(node, request, node.host.refusalOf(error, request));
  }
}

function repliedBy(reply: DoorReply): Reply {
  if (reply.kind === 'reply') return reply.reply;
  if (reply.kind === 'stream') return { data: { file: reply.fileName, bytes: reply.bytes } };
  return reply.kind === 'flat' ? { data: reply.body } : {};
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
