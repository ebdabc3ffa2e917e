import { type Token, useOf } from '@lockstep/auth/token/lookup';
import type { Call, Caller, Engine, Expect } from '@lockstep/contract/engine';
import { type ErrorCode, LockstepError } from '@lockstep/contract/errors';
import { type MountId, rootNamespace, TimeMs } from '@lockstep/contract/ids';
import type { Secret } from '@lockstep/contract/secret';
import type { ReadableState } from '@lockstep/contract/state';
import type { RefusedReason } from '@lockstep/core/peers/peers';
import type { Consensus } from '@lockstep/core/port';
import { readFactVersion } from '@lockstep/engine-system/fact-version';
import { type SystemFact, systemFacts } from '@lockstep/engine-system/facts';
import type { AuditedRequests } from './audited-requests.ts';
import { capabilityRoutes } from './capability-routes.ts';
import { AclCache } from './caller-acl.ts';
import { diskFullError } from './disk/disk-errors.ts';
import type { DoorReply, DoorRequest } from './doors/door.ts';
import { type MemberRouteParts, memberRoutes } from './members/member-routes.ts';
import { systemMount, tokenMount } from './mounts.ts';
import { requestDeadlineMs } from './limits.ts';
import type { Offload } from './offload.ts';
import type { Positions, Recorded } from './positions.ts';
import type { ResolvedMount } from './resolve-mount.ts';
import type { StateDb } from './state/state-db.ts';
import { encodeTransaction, type FactRecord, type HostExpect } from './transaction.ts';
import { waitUntil } from './wait.ts';

export interface HostParts {
  readonly state: StateDb;
  readonly consensus: Consensus;
  readonly positions: Positions;
  readonly audit: AuditedRequests;
  readonly offload: Offload;
  /** What handlers draw from. */
  readonly random: Call['random'];
  /** What this node itself brings to who may join. */
  readonly members: Pick<MemberRouteParts, 'clusterId' | 'founderAuthority'>;
  readonly logFault: (error: unknown, request: Pick<DoorRequest, 'requestId'>) => void;
}

/** What the requests of a node share: the state to read, the one road to change it, and the audit. */
export class Host {
  readonly audit: AuditedRequests;
  readonly acls: AclCache = new AclCache();
  readonly ownRoutes: Engine;
  readonly memberRoutes: Engine;
  readonly #parts: HostParts;

  constructor(parts: HostParts) {
    this.audit = parts.audit;
    this.ownRoutes = capabilityRoutes(this);
    const { consensus, members } = parts;
    this.memberRoutes = memberRoutes({
      ...members,
      consensus,
      id: consensus.status().id,
      state: () => this.state(systemMount),
      record: (facts, expects) => this.#recordSystem(facts, expects),
    });
    this.#parts = parts;
  }

  state(mount: MountId): ReadableState {
    return this.#parts.state.mountState(rootNamespace, mount);
  }

  /** Where in the log this node's state was last restored from a snapshot; 0 where it never was. */
  get restoredIndex(): number {
    return this.#parts.state.restored?.index ?? 0;
  }

  /** Resolves with the leader's time once this node's state holds every write acknowledged before the call. */
  async confirmRead(deadline: number): Promise<TimeMs> {
    const { consensus, positions } = this.#parts;
    const timeMs = await waitUntil<number>(
      deadline,
      (resolve, reject) =>
        consensus.readIndex((outcome) => {
          if (outcome.kind === 'refused') reject(refusedError(outcome.reason, consensus));
          else positions.whenApplied(outcome.index, () => resolve(outcome.timeMs));
        }),
      (_, reject) =>
        reject(
          new LockstepError(
            'deadline-exceeded',
            'no quorum confirmed the read before the deadline; nothing was changed',
          ),
        ),
    );
    return TimeMs(timeMs);
  }

  /** Hands a transaction to the leader and waits until this node has applied it. */
  record(transaction: Uint8Array, deadline: number, asked: { readonly isRelief: boolean }): Promise<Recorded> {
    const { consensus, positions } = this.#parts;
    return waitUntil<Recorded>(
      deadline,
      (resolve, reject) =>
        consensus.propose(
          transaction,
          (outcome) => {
            if (outcome.kind === 'refused') reject(refusedError(outcome.reason, consensus));
            else if (outcome.kind === 'unknown')
              resolve({ kind: 'unknown', reason: 'the leader was lost before it answered' });
            else positions.wait(outcome, resolve);
          },
          asked,
        ),
      (resolve) => resolve({ kind: 'unknown', reason: 'the deadline passed while it was on its way' }),
    );
  }

  /** In the middle of a request: what must be known to all before it goes on. Throws where it was not applied. */
  async #recordSystem(facts: readonly SystemFact[], expects: readonly Expect[]): Promise<void> {
    const transaction = encodeTransaction({
      expects: expects.map((expect) => ({ ...expect, mount: systemMount })),
      facts: facts.map((fact) => ({
        mount: systemMount,
        factVersion: this.factVersion,
        fact: systemFacts.encode(fact),
      })),
      remembered: undefined,
      restoredIndex: this.restoredIndex,
    });
    const recorded = await this.record(transaction, performance.now() + requestDeadlineMs, { isRelief: false });
    if (recorded.kind === 'applied') return;
    if (recorded.kind === 'unknown' || recorded.kind === 'failed')
      throw new LockstepError('outcome-unknown', 'the outcome of this request is unknown: it may be sent again');
    throw new LockstepError('contended', 'another request was faster; nothing was changed, try again');
  }

  /** The fact version in force, which all members speak. */
  get factVersion(): number {
    return readFactVersion(this.state(systemMount));
  }

  callFor(parts: {
    readonly mount: ResolvedMount;
    readonly caller: Caller | undefined;
    readonly presentedToken: Secret | undefined;
    readonly now: TimeMs;
  }): Call {
    return {
      state: this.state(parts.mount.view.id),
      now: parts.now,
      random: this.#parts.random,
      mount: parts.mount.view,
      caller: parts.caller,
      presentedToken: parts.presentedToken,
      factVersion: this.factVersion,
      supersedes: undefined,
      offload: (work) => this.#parts.offload.run(work),
    };
  }

  /** What the host itself records with a request: the use of a token that allows only so many. */
  tokenUse(token: Token | undefined): {
    readonly facts: readonly FactRecord[];
    readonly expects: readonly HostExpect[];
  } {
    const use = token === undefined ? undefined : useOf(token);
    if (use === undefined) return { facts: [], expects: [] };
    return {
      facts: [{ mount: tokenMount, factVersion: this.factVersion, fact: use.fact }],
      expects: [{ ...use.expect, mount: tokenMount }],
    };
  }

  /** The reply that an error becomes. Faults of the program are logged, and tell the caller nothing but that. */
  refusalOf(error: unknown, request: Pick<DoorRequest, 'requestId'>): DoorReply & { readonly kind: 'error' } {
    if (!(error instanceof LockstepError)) {
      this.#parts.logFault(error, request);
      return { kind: 'error', code: 'internal', messages: [`internal error, request ${request.requestId}`] };
    }
    if (error.code === 'internal') this.#parts.logFault(error, request);
    const retry: { readonly retryAfterSeconds?: number } = retriable.has(error.code) ? { retryAfterSeconds: 1 } : {};
    const body = error.replyBody === undefined ? {} : { body: error.replyBody as DoorErrorBody };
    return {
      kind: 'error',
      code: error.code,
      messages: error.message === '' ? [] : [error.message],
      ...body,
      ...(error.field === undefined ? {} : { field: error.field }),
      ...retry,
    };
  }
}

type DoorErrorBody = NonNullable<(DoorReply & { readonly kind: 'error' })['body']>;

const retriable: ReadonlySet<ErrorCode> = new Set(['no-leader', 'contended', 'rate-limited', 'unavailable']);

function refusedError(reason: RefusedReason, consensus: Pick<Consensus, 'status'>): LockstepError {
  switch (reason) {
    case 'no-leader':
      return new LockstepError(
        'no-leader',
        'the cluster has no leader at the moment; nothing was changed, try again shortly',
      );
    case 'sealed':
      return new LockstepError(
        'unavailable',
        'the leader is sealed and hands over; nothing was changed, try again shortly',
      );
    case 'busy':
      return new LockstepError(
        'rate-limited',
        'more writes are waiting than this node takes; nothing was changed, try again shortly',
      );
    case 'too-large':
      return new LockstepError('too-large', 'the change is larger than one entry of the log may be');
    case 'disk-full':
      return diskFullError(consensus.status());
    default:
      return reason satisfies never;
  }
}
