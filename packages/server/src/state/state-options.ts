import type { KeyObject } from 'node:crypto';
import type { RecordSealer } from '@lockstep/seal/record-sealer';

export interface StateOptions {
  /** Holds the state and its snapshots, and nothing else. Made if it isn't there. */
  readonly directory: string;
  readonly clusterId: string;
  /** What seals values; undefined while the node is sealed. */
  readonly values: () => RecordSealer | undefined;
  /** What the digest of the state is made with; undefined while the node is sealed. */
  readonly hashKey: () => KeyObject | undefined;
  /** A state that can't be opened is set aside for an empty one that is marked as damaged, instead of being refused. */
  readonly mayBeginAnew?: boolean;
  /** Called once, when the state is found damaged while it is open: it takes no entry, and answers nothing, until it is replaced. */
  readonly onDamaged?: (why: string) => void;
  /** Called at the first failure after which the state can't be trusted. The process must exit (74) and acknowledge nothing more. */
  readonly onFatal: (error: unknown) => void;
  /** After `isBehind` was true: entries may come again. */
  readonly onCaughtUp?: () => void;
  /** Why a snapshot was not taken, received or installed; the driver is told only that it was not. */
  readonly onSnapshotFailure?: (error: unknown) => void;
}
