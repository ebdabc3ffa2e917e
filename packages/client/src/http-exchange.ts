import { Agent as PlainAgent, type IncomingMessage, request as plainRequest } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import type { Address } from './addresses.ts';
import { replyBytesMax, socketsMax } from './limits.ts';

export interface HttpNode {
  readonly address: Address;
  readonly agent: PlainAgent;
}

export interface TlsSettings {
  readonly ca: string | undefined;
  /** For a name in the certificate other than the address's. */
  readonly serverName?: string;
  readonly skipVerify?: boolean;
}

/** Keeps connections to one node open. */
export function openHttpNode(address: Address, tls: TlsSettings): HttpNode {
  const common = { keepAlive: true, maxSockets: socketsMax, noDelay: true };
  if (address.isPlain) return { address, agent: new PlainAgent(common) };
  const agent = new TlsAgent({
    ...common,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
    rejectUnauthorized: tls.skipVerify !== true,
  });
  return { address, agent };
}

export interface HttpRequest {
  readonly method: string;
  /** With `/v1/`, percent-encoded. */
  readonly target: string;
  readonly headers: { readonly [name: string]: string };
  readonly body: string | undefined;
  readonly timeoutMs: number;
}

export type HttpExchange =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly headers: IncomingMessage['headers'];
      readonly body: Buffer;
    }
  /** No connection: nothing of the request has left. */
  | { readonly kind: 'not-sent'; readonly message: string }
  | { readonly kind: 'lost'; readonly message: string };

/** One request and its answer. Never rejects. Follows no redirect: the token would go along. */
export function exchange({ address, agent }: HttpNode, request: HttpRequest): Promise<HttpExchange> {
  return new Promise((resolve) => {
    const { method, target: path, body } = request;
    const headers =
      body === undefined ? request.headers : { ...request.headers, 'Content-Length': Buffer.byteLength(body) };
    const target = { host: address.host, port: address.port, method, path, headers, agent };
    const sent = address.isPlain ? plainRequest(target) : tlsRequest(target);
    let isConnected = false;
    const timer = setTimeout(
      () => sent.destroy(new Error(`no answer within ${Math.round(request.timeoutMs)} ms`)),
      request.timeoutMs,
    );
    const end = (result: HttpExchange): void => {
      clearTimeout(timer);
      resolve(result);
    };
    sent.once('socket', (socket) => {
      if (!socket.connecting) isConnected = true;
      else socket.once(address.isPlain ? 'connect' : 'secureConnect', () => (isConnected = true));
    });
    sent.once('response', (response) => collect(response, end));
    sent.once('error', (fault) =>
      end(
        isConnected
          ? { kind: 'lost', message: `no answer from ${address.spelled}: ${fault.message}` }
          : { kind: 'not-sent', message: `cannot connect to ${address.spelled}: ${reasonOf(fault)}` },
      ),
    );
    sent.end(body);
  });
}

/** A whole answer, up to a bound. */
export function collect(response: IncomingMessage, end: (result: HttpExchange) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  response.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > replyBytesMax) response.destroy(new Error(`the answer is larger than ${replyBytesMax} bytes`));
    else chunks.push(chunk);
  });
  response.once('end', () =>
    end({
      kind: 'answered',
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: Buffer.concat(chunks, size),
    }),
  );
  response.once('error', (fault) => end({ kind: 'lost', message: `the answer broke off: ${fault.message}` }));
}

/** Several addresses of one name fail together as an AggregateError, whose own message is empty. */
export function reasonOf(fault: Error): string {
  if (fault.message !== '') return fault.message;
  return 'code' in fault ? String(fault.code) : fault.name;
}
