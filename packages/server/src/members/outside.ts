import { LockstepError } from '@lockstep/contract/errors';
import type { Standing } from '@lockstep/core/members/standing';

/** Whether a node is no part of its cluster any more. */
export function isOutside(standing: Standing): boolean {
  return standing === 'removed' || standing === 'left-behind' || standing === 'other-disk';
}

const why: { readonly [standing in Standing]: string } = {
  joining: 'this node has not joined its cluster yet',
  member: 'this node is a member of its cluster',
  removed: 'this node was removed from its cluster: stop it, and join again as a new node, with an empty directory',
  'left-behind':
    'the cluster of this node went on without it, by force: stop it, and join again as a new node, with an empty directory',
  'other-disk':
    'the disk of this node is not the one that its cluster knows: stop it, remove it from the cluster, and join again as a new node, with an empty directory',
};

/** The refusal of a node that is no part of its cluster: others serve. */
export function outsideError(standing: Standing): LockstepError {
  return new LockstepError('unavailable', why[standing]);
}
