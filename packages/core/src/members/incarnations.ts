import type { NodeId } from '@lockstep/contract/ids';
import { isJoint } from '../raft/membership.ts';
import type { Raft } from '../raft/raft.ts';
import { encodeMembers } from '../raft/roster-codec.ts';
import type { Membership } from '../raft/types.ts';
import type { MembershipChanges } from './membership-changes.ts';

export interface IncarnationsOptions {
  readonly id: NodeId;
  readonly core: Raft;
  readonly membership: () => Membership;
  readonly changes: MembershipChanges;
  /** Of this node's own disk, where it has one. */
  readonly own: number | undefined;
}

/**
 * The incarnations that members have shown. The leader records those that the membership does not know yet (a founding member's): from
 * then on every node refuses another disk under that id, restarts included.
 */
export class Incarnations {
  readonly #options: IncarnationsOptions;
  readonly #shown = new Map<NodeId, number>();

  constructor(options: IncarnationsOptions) {
    this.#options = options;
    if (options.own !== undefined) this.#shown.set(options.id, options.own);
  }

  shown(node: NodeId, incarnation: number): void {
    this.#shown.set(node, incarnation);
  }

  /** Once for each tick. */
  record(): void {
    const { core, membership, changes } = this.#options;
    if (!core.hasCommittedInTerm || core.isMembershipPending || isJoint(membership())) return;
    const news = (membership().roster?.members ?? []).flatMap((member) => {
      const incarnation = member.incarnation === 0 ? this.#shown.get(member.node) : undefined;
      return incarnation === undefined ? [] : [{ ...member, incarnation }];
    });
    const [first] = news;
    if (first === undefined) return;
    const context = encodeMembers(news);
    changes.append({ transition: 'auto', steps: [{ kind: 'update', node: first.node }], context }, () => undefined);
  }
}
