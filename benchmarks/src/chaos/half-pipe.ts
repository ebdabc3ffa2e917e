import type { Socket } from 'node:net';
import { queuedBytesMax } from './limits.ts';

/** What becomes of the bytes from one node to another. TCP loses nothing: a lost segment is a stall, or in the end a reset. */
export type Weather =
  | { readonly kind: 'fair' }
  /** Nothing arrives, and nobody is told: it comes when the weather is fair again, unless the connection was reset. */
  | { readonly kind: 'cut' }
  | { readonly kind: 'delay'; readonly ms: number; readonly spreadMs: number }
  /** Each chunk is lost with this chance (0 to 1), and so stalls the connection until it is sent again. */
  | { readonly kind: 'loss'; readonly chance: number; readonly stallMs: number };

export interface PipeCounts {
  bytes: number;
  held: number;
  delayed: number;
  lost: number;
}

interface Chunk {
  /** Undefined: the sender has closed. */
  readonly bytes: Buffer | undefined;
  readonly dueMs: number;
}

/** One direction of a proxied connection: in order, whatever the weather. */
export class HalfPipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #weather: () => Weather;
  readonly #random: () => number;
  readonly #counts: PipeCounts;
  readonly #queue: Chunk[] = [];
  #queuedBytes = 0;
  #lastDueMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: {
    readonly from: Socket;
    readonly to: Socket;
    readonly weather: () => Weather;
    readonly random: () => number;
    readonly counts: PipeCounts;
  }) {
    this.#from = options.from;
    this.#to = options.to;
    this.#weather = options.weather;
    this.#random = options.random;
    this.#counts = options.counts;
    this.#from.on('data', (bytes: Buffer) => this.#take(bytes));
    this.#from.on('end', () => this.#take(undefined));
    this.#to.on('drain', () => this.pump());
    this.#to.on('close', () => clearTimeout(this.#timer));
  }

  /** Passes on what may go; to be called when the weather changes, too. */
  pump(): void {
    clearTimeout(this.#timer);
    while (!this.#to.destroyed && !this.#to.writableNeedDrain) {
      const [next] = this.#queue;
      if (next === undefined || this.#weather().kind === 'cut') break;
      const waitMs = next.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), waitMs);
        break;
      }
      this.#queue.shift();
      this.#queuedBytes -= next.bytes?.length ?? 0;
      if (next.bytes === undefined) this.#to.end();
      else this.#to.write(next.bytes);
    }
    if (this.#queuedBytes < queuedBytesMax) this.#from.resume();
  }

  #take(bytes: Buffer | undefined): void {
    this.#counts.bytes += bytes?.length ?? 0;
    this.#queuedBytes += bytes?.length ?? 0;
    // Never before what came earlier.
    this.#lastDueMs = Math.max(this.#lastDueMs, performance.now() + this.#waitMs());
    this.#queue.push({ bytes, dueMs: this.#lastDueMs });
    // As TCP's window does: what is not taken stays with its sender.
    if (this.#queuedBytes >= queuedBytesMax) this.#from.pause();
    this.pump();
  }

  #waitMs(): number {
    const weather = this.#weather();
    switch (weather.kind) {
      case 'fair':
        return 0;
      case 'cut':
        this.#counts.held++;
        return 0;
      case 'delay':
        this.#counts.delayed++;
        return weather.ms + this.#random() * weather.spreadMs;
      case 'loss':
        if (this.#random() >= weather.chance) return 0;
        this.#counts.lost++;
        return weather.stallMs * (1 + this.#random());
      default:
        return weather satisfies never;
    }
  }
}
