/** The peer service. Its messages are the frames of peer-codec.ts and snapshot-transfer.ts, passed through as they are. */
const service = '/lockstep.peer.v1.Peer';

/** The caller says hello and then receives this node's messages for it. */
export const receiveMethod: string = `${service}/Receive`;

/** One request in, chunks out. */
export const pullSnapshotMethod: string = `${service}/PullSnapshot`;

export function asIs(frame: Buffer): Buffer {
  return frame;
}

/** gRPC wants a Buffer. */
export function toBuffer(frame: Uint8Array): Buffer {
  return Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
}
