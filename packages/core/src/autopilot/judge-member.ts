import type { NodeId } from '@lockstep/contract/ids';
import type { OwnReport } from '../member-reports.ts';
import { healthOf, lagOf, type MembersView } from '../members/members-view.ts';
import type { AutopilotRules } from './rules.ts';

/** What a member has told about itself lately; undefined when it has told nothing, or nothing that counts. */
export type ReportOf = (node: NodeId) => Pick<OwnReport, 'term' | 'disk'> | undefined;

/**
 * What ails a member, in lower case; undefined of a healthy one. As hashicorp/raft-autopilot has it (heard lately, in the leader's term,
 * not far behind), and besides: it needs no snapshot, and its disk takes writes.
 */
export function ailmentOf(
  node: NodeId,
  {
    view,
    reportOf,
    rules,
  }: { readonly view: MembersView; readonly reportOf: ReportOf; readonly rules: AutopilotRules },
): string | undefined {
  const health = healthOf(view, node);
  const silentMs = health?.silentMs;
  if (silentMs === undefined) return 'it has not been heard yet';
  if (silentMs > rules.lastContactMs)
    return `it was heard last ${silentMs} ms ago, at most ${rules.lastContactMs} ms are healthy`;
  if (health?.isBehindLog !== false) return 'it is being sent a snapshot';
  const lag = lagOf(view, node);
  if (lag > rules.lagEntriesMax) return `it is ${lag} entries behind, at most ${rules.lagEntriesMax} are healthy`;
  const report = reportOf(node);
  if (report === undefined) return 'it has told nothing of itself lately that counts';
  if (report.term !== view.term) return `it is in term ${report.term}, the leader in term ${view.term}`;
  if (report.disk === 'full' || report.disk === 'exhausted') return `its disk is ${report.disk}`;
  return undefined;
}
