import type { AutopilotHost, StepOutcome } from '@lockstep/core/autopilot/autopilot';
import type { AutopilotStep } from '@lockstep/core/autopilot/next-step';
import type { AutopilotRules } from '@lockstep/core/autopilot/rules';
import type { NodeId } from '@lockstep/contract/ids';
import type { ReadableState } from '@lockstep/contract/state';
import { readAutopilot, readIntent } from '@lockstep/engine-system/cluster-state';
import type { AutopilotSettings } from '@lockstep/engine-system/facts';
import type { AuditedRequestLines } from '../audited-requests.ts';
import type { Host } from '../host.ts';
import { requestDeadlineMs } from '../limits.ts';
import { faultFields, type Log } from '../log.ts';
import { systemMount } from '../mounts.ts';

export interface AutopilotStepsOptions {
  /** The system's state; undefined while it can't be read, being sealed or damaged. */
  readonly state: () => ReadableState | undefined;
  /** A restore is ordered and not in place yet. */
  readonly isRestoring: () => boolean;
  /** A new id for an audited request. */
  readonly newId: () => string;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly log: Log;
}

export interface AutopilotCounts {
  readonly promoted: number;
  readonly removed: number;
  /** Steps that came to nothing, or to nobody knows what. */
  readonly failed: number;
}

/**
 * What stands between the leader's autopilot and the rest of a node: the operators' settings, and the audit. A step is begun only when a
 * quorum has confirmed that the settings are those in force, and when its line is in the audit, as an operator's request is.
 */
export class AutopilotSteps implements AutopilotHost {
  readonly #options: AutopilotStepsOptions;
  readonly #lines = new WeakMap<AutopilotStep, Promise<AuditedRequestLines | undefined>>();
  #host: Pick<Host, 'confirmRead' | 'audit'> | undefined;
  #promoted = 0;
  #removed = 0;
  #failed = 0;

  constructor(options: AutopilotStepsOptions) {
    this.#options = options;
  }

  /** Since this process started. */
  get counts(): AutopilotCounts {
    return { promoted: this.#promoted, removed: this.#removed, failed: this.#failed };
  }

  /** Once there is an audit: before that nothing is begun. */
  connect(host: Pick<Host, 'confirmRead' | 'audit'>): void {
    this.#host = host;
  }

  rules(): AutopilotRules | undefined {
    const state = this.#options.state();
    return state === undefined ? undefined : rulesOf(readAutopilot(state));
  }

  mayVote(node: NodeId): boolean {
    const state = this.#options.state();
    return state !== undefined && readIntent(state, node)?.isVoter === true;
  }

  heldBy(): string | undefined {
    if (this.#host === undefined) return 'the node is being opened';
    return this.#options.isRestoring() ? 'a restore is under way' : undefined;
  }

  begin(step: AutopilotStep, goOn: (mayBe: boolean) => void): void {
    const lines = this.#begin(step).catch((error: unknown) => {
      this.#options.log.error('autopilot-not-begun', faultFields(error));
      return undefined;
    });
    this.#lines.set(step, lines);
    void lines.then((begun) => goOn(begun !== undefined));
  }

  ended(step: AutopilotStep, outcome: StepOutcome): void {
    if (outcome.kind !== 'changed') this.#failed++;
    else if (step.kind === 'promote') this.#promoted++;
    else this.#removed++;
    void this.#lines
      .get(step)
      ?.then((lines) => (lines === undefined ? undefined : audited(lines, outcome)))
      .catch((error: unknown) => this.#options.log.error('autopilot-not-audited', faultFields(error)));
  }

  async #begin(step: AutopilotStep): Promise<AuditedRequestLines | undefined> {
    if (this.#host === undefined) return undefined;
    await this.#host.confirmRead(this.#options.nowMs() + requestDeadlineMs);
    const { kind, node, membershipIndex, reason } = step;
    const lines = this.#host.audit.begin({
      operation: 'write',
      path: `sys/cluster/${kind}`,
      data: { node: String(node), if_membership_index: membershipIndex, reason },
      token: undefined,
      remoteAddress: '',
      door: 'autopilot',
      requestId: this.#options.newId(),
    });
    const caller = { accessor: '', displayName: 'autopilot', policies: [] };
    await lines.request({ caller, mount: { engine: { kind: 'system' }, view: { path: 'sys/' } } });
    return lines;
  }
}

function rulesOf(settings: AutopilotSettings): AutopilotRules {
  return {
    lastContactMs: settings.lastContactSeconds * 1_000,
    lagEntriesMax: settings.maxTrailingLogs,
    stableMs: settings.serverStabilizationSeconds * 1_000,
    removesDead: settings.cleansUpDeadServers,
    deadMs: settings.deadServerLastContactSeconds * 1_000,
    votersMin: settings.minQuorum,
  };
}

async function audited(lines: AuditedRequestLines, outcome: StepOutcome): Promise<void> {
  if (outcome.kind === 'changed') return await lines.response({ data: { membership_index: outcome.index } });
  const isUnknown = outcome.kind === 'unknown';
  await lines.refusal({
    kind: 'error',
    code: isUnknown ? 'outcome-unknown' : 'failed-precondition',
    messages: [isUnknown ? 'the change was not answered in time' : outcome.text],
  });
}

/** The system's part of a state. */
export function systemStateOf(of: {
  readonly isReadable: () => boolean;
  readonly state: (mount: typeof systemMount) => ReadableState;
}): () => ReadableState | undefined {
  return () => (of.isReadable() ? of.state(systemMount) : undefined);
}
