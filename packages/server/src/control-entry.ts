import { LogIndex, Term } from '@lockstep/contract/ids';
import { bytes, type MessageCodec, message } from '@lockstep/contract/wire';
import {
  decodeSealConfiguration,
  encodeSealConfiguration,
  type SealConfiguration,
} from '@lockstep/seal/seal-configuration';

/**
 * A control entry: readable without any key, in force at commit on every node. `founding` is a sealed entry with the cluster's
 * first transactions (token salt, root token), so that a cluster is never initialized without a way in.
 */
export interface ControlEntry {
  readonly seal: SealConfiguration;
  readonly founding: Uint8Array;
}

/** As in protos/lockstep/log/v1/log.proto. */
export const controlEntryWire: MessageCodec<{ readonly seal: Uint8Array; readonly founding: Uint8Array }> = message({
  seal: bytes(1),
  founding: bytes(2),
});

/** The founding transactions are sealed before their place in the log is known; nothing else is sealed for place 0. */
export const foundingPlace: { readonly index: LogIndex; readonly term: Term } = { index: LogIndex(0), term: Term(0) };

export function encodeControlEntry(entry: ControlEntry): Buffer {
  return controlEntryWire.encode({ seal: encodeSealConfiguration(entry.seal), founding: entry.founding });
}

export function decodeControlEntry(input: Uint8Array): ControlEntry {
  const { seal, founding } = controlEntryWire.decode(input);
  return { seal: decodeSealConfiguration(seal), founding };
}
