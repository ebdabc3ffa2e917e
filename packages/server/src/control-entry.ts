import { LockstepError } from '@lockstep/contract/errors';
import { LogIndex, Term } from '@lockstep/contract/ids';
import { bytes, embed, type MessageCodec, message, repeatedUint, text, uint } from '@lockstep/contract/wire';
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
  /** The cluster went on by force; says nothing about the seal. */
  readonly recovery?: Recovery | undefined;
}

/** How a cluster went on whose quorum was lost for good, as the node found it on its own disk. */
export interface Recovery {
  readonly epoch: number;
  readonly node: number;
  /** By that machine's clock. */
  readonly atMs: number;
  readonly command: string;
  readonly by: string;
  readonly program: string;
  /** Where its log ended. */
  readonly lastIndex: number;
  readonly lastTerm: number;
  readonly commit: number;
  readonly leftBehind: readonly number[];
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
export const recoveryWire: MessageCodec<Recovery> = message({
  epoch: uint(1),
  node: uint(2),
  atMs: uint(3),
  command: text(4),
  by: text(5),
  program: text(6),
  lastIndex: uint(7),
  lastTerm: uint(8),
  commit: uint(9),
  leftBehind: repeatedUint(10),
});
/** As in protos/lockstep/log/v1/log.proto. */
export const controlEntryWire: MessageCodec<{
  readonly seal: Uint8Array;
  readonly founding: Uint8Array;
  readonly restore: Restore | undefined;
  readonly recovery: Recovery | undefined;
}> = message({ seal: bytes(1), founding: bytes(2), restore: embed(3, restoreWire), recovery: embed(4, recoveryWire) });

/** The founding transactions are sealed before their place in the log is known; nothing else is sealed for place 0. */
export const foundingPlace: { readonly index: LogIndex; readonly term: Term } = { index: LogIndex(0), term: Term(0) };

export function encodeControlEntry({ seal, founding, restore, recovery }: ControlEntry): Buffer {
  return controlEntryWire.encode({
    seal: seal === undefined ? new Uint8Array(0) : encodeSealConfiguration(seal),
    founding,
    restore,
    recovery,
  });
}

/** Refuses with `invalid-input` what is no control entry. */
export function decodeControlEntry(input: Uint8Array): ControlEntry {
  const { seal, founding, restore, recovery } = controlEntryWire.decode(input);
  if (restore !== undefined && !/^[0-9a-f]{64}$/.test(restore.savedId))
    throw new LockstepError('invalid-input', 'control entry: saved_id must be a hash in hexadecimal');
  const isKept = seal.length === 0 && (restore !== undefined || recovery !== undefined);
  return { seal: isKept ? undefined : decodeSealConfiguration(seal), founding, restore, recovery };
}

/** How the cluster is sealed, by the control record that a state keeps: that one always says. */
export function sealInForce(record: Uint8Array): SealConfiguration {
  const { seal } = decodeControlEntry(record);
  if (seal === undefined) throw new LockstepError('failed-precondition', 'state: its control record names no seal');
  return seal;
}
