import { randomUUID } from 'node:crypto';
import {
  type AuditedCaller,
  type AuditedRequest,
  type AuditedResponse,
  requestPart,
  responsePart,
} from '@lockstep/audit/entry';
import { Fingerprints } from '@lockstep/audit/fingerprint';
import { openFileSink } from '@lockstep/audit/sinks';
import { Trail } from '@lockstep/audit/trail';
import type { Reply } from '@lockstep/contract/engine';
import { errorTable, LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import type { NodeConfig } from './config.ts';
import type { DoorReply, DoorRequest, RefusedRequest } from './doors/door.ts';
import type { Log } from './log.ts';
import type { SealKeeper } from './seal-keeper.ts';
import { SinkFailureLog } from './sink-failure-log.ts';

/** What an audit line says of a request besides the request: who asked, and which mount it reached. */
export interface AuditedAs {
  readonly caller: AuditedCaller | undefined;
  readonly mount: { readonly engine: { readonly kind: string }; readonly view: { readonly path: string } } | undefined;
}

/** What a request asks, whether it came by a door or is autopilot's own. */
export type AskedOf = Pick<DoorRequest, 'requestId' | 'operation' | 'path' | 'data' | 'remoteAddress' | 'token'> & {
  readonly door: DoorRequest['door'] | 'autopilot';
};

/** One request's two audit lines: before the work, and before the answer. Each resolves once a sink holds its line. */
export interface AuditedRequestLines {
  readonly request: (as: AuditedAs) => Promise<void>;
  readonly response: (reply: Reply) => Promise<void>;
  /** A refusal at any point; also of a request that was never admitted. */
  readonly refusal: (refusal: DoorReply & { readonly kind: 'error' }) => Promise<void>;
}

/** The audit of one node. */
export class AuditedRequests {
  readonly #trail: Trail;
  readonly #keeper: SealKeeper;
  /** Those that wrote their first line, of requests that a node answers by itself. */
  readonly #begun = new WeakMap<DoorRequest, AuditedRequestLines>();
  #fingerprints: { readonly keyring: object; readonly of: Fingerprints } | undefined;

  constructor(parts: { readonly trail: Trail; readonly keeper: SealKeeper }) {
    this.#trail = parts.trail;
    this.#keeper = parts.keeper;
  }

  get waitingCount(): number {
    return this.#trail.waitingCount;
  }

  /** Lines that a sink did not take, since the start. */
  get sinkFailures(): { readonly request: number; readonly response: number } {
    return this.#trail.sinkFailures;
  }

  begin(request: AskedOf): AuditedRequestLines {
    let asked: string | undefined;
    let fingerprints: Fingerprints | undefined;
    // Those of the beginning, so that the request that seals this node gets its second line too.
    const current = (): Fingerprints => (fingerprints ??= this.#currentFingerprints());
    const part = (as: AuditedAs | undefined): string => {
      asked ??= requestPart(current(), auditedRequest(request, as), as?.caller);
      return asked;
    };
    const line = (response: AuditedResponse): string => `${part(undefined)},${responsePart(current(), response)}`;
    return {
      request: async (as) => await this.#trail.record('request', part(as)),
      response: async (reply) =>
        await this.#trail.record('response', line({ kind: 'answered', data: auditedData(reply), auth: reply.auth })),
      refusal: async (refusal) => await this.#recordRefusal(refusal, () => line(refusedWith(refusal))),
    };
  }

  /** The first line of a request that the node answers by itself, once it is known who asks. */
  async beginLocal(request: DoorRequest, caller: AuditedCaller | undefined): Promise<void> {
    const lines = this.begin(request);
    await lines.request({ caller, mount: undefined });
    this.#begun.set(request, lines);
  }

  /** The lines that `beginLocal` began. */
  begun(request: DoorRequest): AuditedRequestLines | undefined {
    return this.#begun.get(request);
  }

  /** The one line of a request that a door refused by itself. */
  async refusedAtDoor({ refusal, ...request }: RefusedRequest): Promise<void> {
    const fingerprints = this.#currentFingerprints();
    const asked: AuditedRequest = {
      id: request.requestId,
      operation: request.operation ?? 'unknown',
      path: request.path,
      data: undefined,
      remoteAddress: request.remoteAddress,
      door: request.door,
      token: request.token?.reveal(),
      mount: undefined,
    };
    await this.#recordRefusal(
      refusal,
      () => `${requestPart(fingerprints, asked, undefined)},${responsePart(fingerprints, refusedWith(refusal))}`,
    );
  }

  /** Opens the sinks' targets anew, after a tool moved a file away. Those that can't be opened keep what they had; then it rejects. */
  async reopen(): Promise<void> {
    await this.#trail.reopen();
  }

  async close(): Promise<void> {
    await this.#trail.close();
  }

  async #recordRefusal(refusal: RefusedRequest['refusal'], members: () => string): Promise<void> {
    try {
      await this.#trail.record('response', members());
    } catch (cause) {
      // What the trail says of a response, that the work may be done, is too careful here.
      if (!errorTable[refusal.code].refused) throw cause;
      throw new LockstepError(
        'unavailable',
        'the request was refused, and this could not be audited; nothing was changed',
        { cause },
      );
    }
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
export async function openAudit(
  config: NodeConfig,
  keeper: SealKeeper,
  of: { readonly log: Log; readonly wallMs: () => number },
): Promise<AuditedRequests> {
  const sinks = await Promise.all(config.audit.map((sink) => openFileSink(sink.path)));
  const failures = new SinkFailureLog(of.log, () => performance.now());
  const trail = new Trail({
    sinks,
    wallMs: of.wallMs,
    run: randomUUID(),
    onSinkFailure: (sink, error) => failures.note(sink, error),
  });
  return new AuditedRequests({ trail, keeper });
}

function refusedWith(refusal: RefusedRequest['refusal']): AuditedResponse {
  return { kind: 'refused', error: [refusal.code, ...refusal.messages].join(': ') };
}

function auditedRequest(request: AskedOf, as: AuditedAs | undefined): AuditedRequest {
  return {
    id: request.requestId,
    operation: request.operation,
    path: request.path,
    data: request.data as JsonObject,
    remoteAddress: request.remoteAddress,
    door: request.door,
    token: request.token?.reveal(),
    mount: as?.mount === undefined ? undefined : { type: as.mount.engine.kind, point: as.mount.view.path },
  };
}

function auditedData(reply: Reply): JsonObject | undefined {
  if (reply.raw !== undefined) return { content_type: reply.raw.contentType, bytes: reply.raw.body.length };
  return reply.data;
}
