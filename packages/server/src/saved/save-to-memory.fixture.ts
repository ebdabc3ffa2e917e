import type { RecordedNode } from '../recorded/recorded-node.fixture.ts';
import { SnapshotSaver } from './save-snapshot.ts';

/** The saver of a node that a test opened. */
export function saverOf(node: RecordedNode): SnapshotSaver {
  return new SnapshotSaver({
    state: node.state,
    keeper: node.keeper,
    consensus: node.consensus,
    factVersion: () => node.host.factVersion,
    logTimeMs: node.machine.lastTimeMs,
    wallMs: node.clock.wallMs,
    nodeName: 'n1',
    clusterId: node.clusterId,
  });
}

/** A saved snapshot, whole. */
export async function saveToMemory(node: RecordedNode): Promise<Buffer> {
  const { chunks, close } = await saverOf(node).save();
  const pieces: Uint8Array[] = [];
  for await (const piece of chunks) pieces.push(piece);
  await close();
  return Buffer.concat(pieces);
}
