import { createReadStream } from 'node:fs';
import { decodeSealConfiguration } from '@lockstep/seal/seal-configuration';
import { SavedFileParser, type SavedSnapshot } from './saved-file.ts';

/** What a saved snapshot's file tells without a key. */
export interface InspectedSnapshot extends SavedSnapshot {
  /** The file's own hash, in hexadecimal. */
  readonly fileId: string;
  readonly fileBytes: number;
  /** What unseals a cluster that it was restored to by force. */
  readonly sealKind: string;
  readonly unsealShares: number;
  readonly unsealThreshold: number;
}

/** Reads a file to its end and checks every checksum. Refuses with `invalid-input` what is no whole saved snapshot. Needs no node. */
export async function inspectSaved(path: string): Promise<InspectedSnapshot> {
  const parser = new SavedFileParser({ onHead: () => undefined });
  let fileBytes = 0;
  const file: AsyncIterable<Buffer> = createReadStream(path);
  for await (const data of file) {
    parser.push(data);
    fileBytes += data.length;
  }
  const { id, saved } = parser.finish();
  const { kind, shares, threshold } = decodeSealConfiguration(saved.seal);
  return { ...saved, fileId: id, fileBytes, sealKind: kind, unsealShares: shares, unsealThreshold: threshold };
}
