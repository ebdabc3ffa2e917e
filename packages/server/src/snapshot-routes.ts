import { LockstepError } from '@lockstep/contract/errors';
import type { DoorReply, DoorRequest } from './doors/door.ts';
import { type NodeContext, requireCapability } from './node-context.ts';

/** `sys/storage/raft/snapshot`: the state as of now, sealed, from any unsealed node. */
export async function save(node: NodeContext, request: DoorRequest): Promise<DoorReply> {
  // It waits until this node's state holds every write that was acknowledged before.
  await requireCapability(node, request, ['read', 'sudo']);
  const { saved, bytes, chunks, close } = await node.saver.save();
  node.log.info('snapshot-saved', { index: saved.index, bytes });
  const fileName = `lockstep-${saved.clusterId.slice(0, 8)}-${saved.index}.snapshot`;
  return {
    kind: 'stream',
    requestId: request.requestId,
    contentType: 'application/octet-stream',
    fileName,
    bytes,
    chunks,
    close,
  };
}

/** Replaces the state of the whole cluster by what a saved file holds. Only the leader orders it. */
export async function restore(node: NodeContext, request: DoorRequest): Promise<DoorReply> {
  return await replaceState(node, request, false);
}

/** The same, whichever cluster's file it is. */
export async function restoreByForce(node: NodeContext, request: DoorRequest): Promise<DoorReply> {
  return await replaceState(node, request, true);
}

async function replaceState(node: NodeContext, request: DoorRequest, force: boolean): Promise<DoorReply> {
  await requireCapability(node, request, ['update', 'sudo']);
  const { body, requestId, signal } = request;
  if (body === undefined)
    throw new LockstepError('invalid-input', 'the file is sent as the body, or in pieces by RestoreSnapshot');
  const { index, saved, isSealed } = await node.restorer.restore({ data: body, force, signal });
  node.log.info('restore-ordered', { index, snapshot: saved.index, force });
  return {
    kind: 'reply',
    requestId,
    reply: { data: { index, snapshot_index: saved.index, cluster_id: saved.clusterId, sealed: isSealed } },
  };
}
