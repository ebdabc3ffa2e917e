import type { NodeId, Term } from '@lockstep/contract/ids';
import { autopilotGapMsMax } from '../limits.ts';
import { healthOf, type MembersView } from '../members/members-view.ts';
import { membersOf } from '../raft/membership.ts';
import { ailmentOf, type ReportOf } from './judge-member.ts';
import type { AutopilotRules } from './rules.ts';

/** What one leader has seen of the members, without a break in its looking. Times are of its monotonic clock. */
export interface MembersWatch {
  readonly term: Term;
  readonly sinceMs: number;
  readonly atMs: number;
  readonly members: readonly WatchedMember[];
}

export interface WatchedMember {
  readonly node: NodeId;
  /** In lower case; undefined of a healthy one. */
  readonly ailment: string | undefined;
  /** Since when it has been healthy at every look. */
  readonly healthyMs: number | undefined;
  /** When it was heard last; not before the watch began, so that nobody is called dead for what nobody saw. */
  readonly heardMs: number;
}

/**
 * Looks at the members once more. A new term, and a pause in which nobody looked, begin the watch anew: what the leader did not see
 * itself counts neither for a member nor against it.
 */
export function watchMembers(
  before: MembersWatch | undefined,
  of: { readonly view: MembersView; readonly reportOf: ReportOf; readonly rules: AutopilotRules },
  nowMs: number,
): MembersWatch {
  const { view } = of;
  const goesOn = before !== undefined && before.term === view.term && nowMs - before.atMs <= autopilotGapMsMax;
  const sinceMs = goesOn ? before.sinceMs : nowMs;
  const members = membersOf(view.membership).map((node): WatchedMember => {
    const ailment = ailmentOf(node, of);
    const known = goesOn ? before.members.find((member) => member.node === node) : undefined;
    const { silentMs } = healthOf(view, node) ?? {};
    const healthyMs = ailment === undefined ? (known?.healthyMs ?? nowMs) : undefined;
    // One that joined since is not dead from before it was there.
    const knownMs = known?.heardMs ?? nowMs;
    return { node, ailment, healthyMs, heardMs: Math.max(knownMs, nowMs - (silentMs ?? Number.POSITIVE_INFINITY)) };
  });
  return { term: view.term, sinceMs, atMs: nowMs, members };
}
