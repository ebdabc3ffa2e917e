import { FrameReader } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import { frameClusterIdBytesMax } from './limits.ts';

/*
 *   hello := 0x48 magic:u32 versionMin:u16 versionMax:u16 clusterId:str node:u53 incarnation:u53
 *
 * as peer-codec.ts writes numbers and texts.
 */

const frameHello = 0x48;
const helloMagic = 0x4b_4c_01_50;

/** The first frame on a stream, from either side: who speaks, and which versions of the protocol. */
export interface Hello {
  readonly clusterId: string;
  readonly node: number;
  readonly incarnation: number;
  readonly versionMin: number;
  readonly versionMax: number;
}

export function encodeHello(hello: Hello): Uint8Array {
  const sizing = new FrameWriter(undefined);
  writeHello(sizing, hello);
  const writer = new FrameWriter(Buffer.allocUnsafeSlow(sizing.length));
  writeHello(writer, hello);
  return writer.bytes();
}

export function decodeHello(frame: Uint8Array): Hello {
  const reader = new FrameReader(frame);
  if (reader.u8('kind') !== frameHello) throw reader.refusal('is not a hello');
  if (reader.u32('magic') !== helloMagic) throw reader.refusal('is not from a Lockstep node');
  const versionMin = reader.u16('version range');
  const versionMax = reader.u16('version range');
  const clusterId = reader.text('cluster id', frameClusterIdBytesMax);
  const hello = { clusterId, node: reader.u53('node'), incarnation: reader.u53('incarnation'), versionMin, versionMax };
  reader.end();
  return hello;
}

function writeHello(writer: FrameWriter, hello: Hello): void {
  writer.u8(frameHello);
  writer.u32(helloMagic);
  writer.u16(hello.versionMin);
  writer.u16(hello.versionMax);
  writer.text('cluster id', hello.clusterId, frameClusterIdBytesMax);
  writer.u53('node', hello.node);
  writer.u53('incarnation', hello.incarnation);
}
