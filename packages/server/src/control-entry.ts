import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, Term } from '@lockstep/contract/ids';
import { bytes, embed, type MessageCodec, message, text, uint } from '@lockstep/contract/wire';
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
  /** Undefined where a restore leaves the one in force as it is. */
  readonly seal: SealConfiguration | undefined;
  readonly founding: Uint8Array;
  readonly restore: Restore | undefined;
}

/** The state is replaced, at this entry's place, by that of a saved snapshot. */
export interface Restore {
  /** The file, by its hash in hexadecimal. */
  readonly savedId: string;
  /** The log's time is no earlier from there on. */
  readonly timeMs: number;
  /** Added to an index to get the version of a value written at it. */
  readonly versionOffset: number;
}

const restoreWire: MessageCodec<Restore> = message({ savedId: text(1), timeMs: uint(2), versionOffset: uint(3) });
/** As in protos/lockstep/log/v1/log.proto. */
export const controlEntryWire: MessageCodec<{
  readonly seal: Uint8Array;
  readonly founding: Uint8Array;
  readonly restore: Restore | undefined;
}> = message({ seal: bytes(1), founding: bytes(2), restore: embed(3, restoreWire) });

/** The founding transactions are sealed before their place in the log is known; nothing else is sealed for place 0. */
export const foundingPlace: { readonly index: LogIndex; readonly term: Term } = { index: LogIndex(0), term: Term(0) };

export function encodeControlEntry({ seal, founding, restore }: ControlEntry): Buffer {
  return controlEntryWire.encode({
    seal: seal === undefined ? new Uint8Array(0) : encodeSealConfiguration(seal),
    founding,
    restore,
  });
}

/** Refuses with `invalid-input` what is no control entry. */
export function decodeControlEntry(input: Uint8Array): ControlEntry {
  const { seal, founding, restore } = controlEntryWire.decode(input);
  if (restore !== undefined && !/^[0-9a-f]{64}$/.test(restore.savedId))
    throw new LockstepError('invalid-input', 'control entry: saved_id must be a hash in hexadecimal');
  const isKept = seal.length === 0 && restore !== undefined;
  return { seal: isKept ? undefined : decodeSealConfiguration(seal), founding, restore };
}

/** How the cluster is sealed, by the control record that a state keeps: that one always says. */
export function sealInForce(record: Uint8Array): SealConfiguration {
  const { seal } = decodeControlEntry(record);
  if (seal === undefined) throw new LockstepError('failed-precondition', 'state: its control record names no seal');
  return seal;
}
