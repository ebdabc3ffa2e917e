import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

// Vault's clients send `LIST /v1/…`. Node's HTTP/1 parser has a fixed table of methods, and refuses LIST before any handler
// runs. So the first LIST on a connection arrives as a parse error that carries its bytes: from then on that connection is fed to
// a new parser through a ListSocket, which writes LINK (a method of the table, of the same length) where a request starts with LIST.
// All other connections stay as fast as they were.

const verb = 'LIST ';
const standIn = 'LINK';

/** The method as the client wrote it. */
export function methodOf(request: IncomingMessage): string {
  return request.method === standIn && request.socket instanceof ListSocket ? 'LIST' : (request.method ?? '');
}

/** The network's own socket (for its address and certificate). */
export function networkSocket(request: IncomingMessage): Socket {
  return request.socket instanceof ListSocket ? request.socket.network : request.socket;
}

/** Must be called for every request, before it is answered: a moved connection has to know where its requests start and end. */
export function noteRequest(request: IncomingMessage, response: ServerResponse): void {
  if (request.socket instanceof ListSocket) request.socket.requestStarted(request, response);
}

/** Whether this parse error is a LIST on a connection that was not moved yet; then its bytes, from the verb on. */
export function listBytesOf(fault: Error, socket: Duplex): Buffer | undefined {
  if (!('code' in fault) || fault.code !== 'HPE_INVALID_METHOD' || socket instanceof ListSocket) return undefined;
  if (!('rawPacket' in fault) || !Buffer.isBuffer(fault.rawPacket) || !('bytesParsed' in fault)) return undefined;
  // LI could still become LINK; the parser gives up at S, the third letter. So the offset tells how much of the verb came in
  // earlier packets.
  const missing = 2 - Number(fault.bytesParsed);
  if (missing < 0 || missing > 2) return undefined;
  const bytes = missing === 0 ? fault.rawPacket : Buffer.concat([Buffer.from(verb.slice(0, missing)), fault.rawPacket]);
  return startsWithVerb(bytes) === 'no' ? undefined : bytes;
}

function startsWithVerb(bytes: Buffer): 'yes' | 'no' | 'perhaps' {
  const length = Math.min(bytes.length, verb.length);
  if (bytes.toString('latin1', 0, length) !== verb.slice(0, length)) return 'no';
  return length === verb.length ? 'yes' : 'perhaps';
}

/** Takes a socket from the parser that failed on it. `bytes` are what that parser had from the failed request. */
export function moveToListSocket(network: Socket, bytes: Buffer): ListSocket {
  // The failed parser listens for data, and for the pauses and drains of its replies. Its 'close' listener stays: it frees the parser.
  for (const event of ['data', 'end', 'drain', 'error', 'timeout']) network.removeAllListeners(event);
  network.setTimeout(0);
  return new ListSocket(network, bytes);
}

/** A connection whose requests may be LISTs. Requests sent before the last one was answered are not looked at (no client does that). */
export class ListSocket extends Duplex {
  readonly network: Socket;
  /** The start of a verb, when a packet ended within it. */
  #held: Buffer | undefined;
  /** Bytes of a request were passed on, and the parser has not announced it yet. */
  #isStarting = false;
  #current: { readonly request: IncomingMessage; readonly response: ServerResponse } | undefined;

  constructor(network: Socket, bytes: Buffer) {
    super({ allowHalfOpen: true });
    this.network = network;
    // Adding a 'data' listener is also what makes Node's server give the handle back, if the parser was reading from it directly.
    network.on('data', (chunk: Buffer) => this.#feed(chunk));
    network.on('end', () => this.push(null));
    network.on('error', (fault) => this.destroy(fault));
    network.on('close', () => this.destroy());
    network.on('timeout', () => this.emit('timeout'));
    this.#feed(bytes);
  }

  requestStarted(request: IncomingMessage, response: ServerResponse): void {
    this.#isStarting = false;
    this.#current = { request, response };
  }

  get #isBetweenRequests(): boolean {
    if (this.#isStarting) return false;
    return this.#current === undefined || (this.#current.request.complete && this.#current.response.writableEnded);
  }

  #feed(chunk: Buffer): void {
    let bytes = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = undefined;
    if (this.#isBetweenRequests) {
      const found = startsWithVerb(bytes);
      if (found === 'perhaps') {
        this.#held = bytes;
        return;
      }
      if (found === 'yes') {
        bytes = Buffer.from(bytes);
        bytes.write(standIn, 0, 'latin1');
      }
      this.#isStarting = true;
    }
    if (!this.push(bytes)) this.network.pause();
  }

  override _read(): void {
    this.network.resume();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (fault?: Error | null) => void): void {
    this.network.write(chunk, encoding, done);
  }

  override _final(done: (fault?: Error | null) => void): void {
    this.network.end(done);
  }

  override _destroy(fault: Error | null, done: (fault?: Error | null) => void): void {
    this.network.destroy(fault ?? undefined);
    done(fault);
  }

  // What Node's HTTP server asks of a socket beyond a stream.
  setTimeout(ms: number): this {
    this.network.setTimeout(ms);
    return this;
  }

  setNoDelay(isOn: boolean): this {
    this.network.setNoDelay(isOn);
    return this;
  }

  setKeepAlive(isOn: boolean, initialDelay: number): this {
    this.network.setKeepAlive(isOn, initialDelay);
    return this;
  }
}
