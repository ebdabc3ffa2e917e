import {
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { healthWatchesMax, healthWatchMs } from '../limits.ts';
import type { Message } from './grpc-request.ts';

type Status = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';
type Watch = ServerWritableStream<Message, Message>;

/** grpc.health.v1.Health over one question, asked at each check and, while anyone watches, every `healthWatchMs`. */
export class HealthService {
  readonly #isServing: () => boolean;
  readonly #services: ReadonlySet<string>;
  readonly #watches = new Map<Watch, Status>();
  #timer: NodeJS.Timeout | undefined;

  constructor(isServing: () => boolean, services: readonly string[]) {
    this.#isServing = isServing;
    this.#services = new Set(['', ...services]);
  }

  get implementation(): UntypedServiceImplementation {
    return {
      Check: (call: ServerUnaryCall<Message, Message>, answer: sendUnaryData<Message>) => {
        const now = this.#status(call.request);
        if (now === 'SERVICE_UNKNOWN') answer({ code: status.NOT_FOUND, details: 'unknown service' });
        else answer(null, { status: now });
      },
      Watch: (call: Watch) => this.#watch(call),
    };
  }

  /** Ends all watches: a server waits for them otherwise. */
  close(): void {
    for (const watch of this.#watches.keys()) watch.end();
    this.#watches.clear();
    clearInterval(this.#timer);
  }

  #status(request: Message): Status {
    const service = request['service'] ?? '';
    if (typeof service !== 'string' || !this.#services.has(service)) return 'SERVICE_UNKNOWN';
    return this.#isServing() ? 'SERVING' : 'NOT_SERVING';
  }

  #watch(call: Watch): void {
    if (this.#watches.size >= healthWatchesMax) {
      call.destroy(Object.assign(new Error('too many health watches'), { code: status.RESOURCE_EXHAUSTED }));
      return;
    }
    const first = this.#status(call.request);
    this.#watches.set(call, first);
    call.write({ status: first });
    call.on('cancelled', () => this.#forget(call));
    this.#timer ??= setInterval(() => this.#tell(), healthWatchMs).unref();
  }

  #forget(call: Watch): void {
    this.#watches.delete(call);
    if (this.#watches.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tell(): void {
    for (const [watch, before] of this.#watches) {
      const now = this.#status(watch.request);
      if (now === before) continue;
      this.#watches.set(watch, now);
      watch.write({ status: now });
    }
  }
}
