import { randomUUID } from 'node:crypto';
import { type AuditedCaller, type AuditedRequest, requestPart, responsePart } from '@lockstep/audit/entry';
import { Fingerprints } from '@lockstep/audit/fingerprint';
import { openFileSink } from '@lockstep/audit/sinks';
import { Trail } from '@lockstep/audit/trail';
import type { Reply } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import type { Admitted } from './admit.ts';
import type { NodeConfig } from './config.ts';
import type { DoorReply, DoorRequest } from './doors/door.ts';
import type { SealKeeper } from './seal-keeper.ts';

/** One request's two audit lines: before the work, and before the answer. Each resolves once a sink holds its line. */
export interface AuditedRequestLines {
  readonly request: (admitted: Admitted) => Promise<void>;
  readonly response: (reply: Reply) => Promise<void>;
  /** A refusal at any point; also of a request that was never admitted. */
  readonly refusal: (refusal: DoorReply & { readonly kind: 'error' }) => Promise<void>;
}

/** The audit of one node. */
export class AuditedRequests {
  readonly #trail: Trail;
  readonly #keeper: SealKeeper;
  #fingerprints: { readonly keyring: object; readonly of: Fingerprints } | undefined;

  constructor(parts: { readonly trail: Trail; readonly keeper: SealKeeper }) {
    this.#trail = parts.trail;
    this.#keeper = parts.keeper;
  }

  get waitingCount(): number {
    return this.#trail.waitingCount;
  }

  begin(request: DoorRequest): AuditedRequestLines {
    let asked: string | undefined;
    const part = (admitted: Admitted | undefined): string => {
      asked ??= requestPart(this.#currentFingerprints(), auditedRequest(request, admitted), auditedCaller(admitted));
      return asked;
    };
    const respond = async (response: Parameters<typeof responsePart>[1]): Promise<void> =>
      await this.#trail.record('response', `${part(undefined)},${responsePart(this.#currentFingerprints(), response)}`);
    return {
      request: async (admitted) => await this.#trail.record('request', part(admitted)),
      response: async (reply) => await respond({ kind: 'answered', data: auditedData(reply), auth: reply.auth }),
      refusal: async (refusal) =>
        await respond({ kind: 'refused', error: [refusal.code, ...refusal.messages].join(': ') }),
    };
  }

  async reopen(): Promise<void> {
    await this.#trail.reopen();
  }

  async close(): Promise<void> {
    await this.#trail.close();
  }

  #currentFingerprints(): Fingerprints {
    const { state } = this.#keeper.barrier;
    if (state.state === 'sealed') throw new LockstepError('sealed', 'Vault is sealed');
    // The key is the first version's for ever, so that a value is found again after a rotation.
    if (this.#fingerprints?.keyring !== state.keyring)
      this.#fingerprints = { keyring: state.keyring, of: new Fingerprints(state.keyring.lastingKey('audit')) };
    return this.#fingerprints.of;
  }
}

/** Opens the configured sinks. */
export async function openAudit(config: NodeConfig, keeper: SealKeeper): Promise<AuditedRequests> {
  const sinks = await Promise.all(config.audit.map((sink) => openFileSink(sink.path)));
  return new AuditedRequests({ trail: new Trail({ sinks, wallMs: () => Date.now(), run: randomUUID() }), keeper });
}

function auditedRequest(request: DoorRequest, admitted: Admitted | undefined): AuditedRequest {
  return {
    id: request.requestId,
    operation: request.operation,
    path: request.path,
    data: request.data as JsonObject,
    remoteAddress: request.remoteAddress,
    door: request.door,
    token: request.token?.reveal(),
    mount: admitted === undefined ? undefined : { type: admitted.mount.engine.kind, point: admitted.mount.view.path },
  };
}

function auditedCaller(admitted: Admitted | undefined): AuditedCaller | undefined {
  return admitted?.caller;
}

function auditedData(reply: Reply): JsonObject | undefined {
  if (reply.raw !== undefined) return { content_type: reply.raw.contentType, bytes: reply.raw.body.length };
  return reply.data;
}
