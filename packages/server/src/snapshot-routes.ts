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
