import { Metadata } from '@grpc/grpc-js';
import { LockstepError } from '@lockstep/contract/errors';
import type { StandingRefusal } from './peers.ts';

/** A known node is refused for what it has become: it is told so in a form that it can act on. */
export class StandingRefused extends LockstepError {
  readonly refusal: StandingRefusal;

  constructor(refusal: StandingRefusal, message: string) {
    super('denied', message);
    this.refusal = refusal;
  }
}

const kindKey = 'lockstep-standing';
const epochKey = 'lockstep-epoch';
const indexKey = 'lockstep-membership-index';

export function standingMetadata(refusal: StandingRefusal): Metadata {
  const metadata = new Metadata();
  metadata.set(kindKey, refusal.kind);
  if (refusal.kind === 'removed') {
    metadata.set(epochKey, String(refusal.epoch));
    metadata.set(indexKey, String(refusal.index));
  }
  return metadata;
}

/** Undefined where a call ended for another reason. */
export function standingOf(metadata: Metadata | undefined): StandingRefusal | undefined {
  const [kind] = metadata?.get(kindKey) ?? [];
  if (kind === 'other-disk') return { kind };
  const epoch = numberIn(metadata, epochKey);
  const index = numberIn(metadata, indexKey);
  return kind === 'removed' && epoch !== undefined && index !== undefined ? { kind, epoch, index } : undefined;
}

function numberIn(metadata: Metadata | undefined, key: string): number | undefined {
  const [text] = metadata?.get(key) ?? [];
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
