import { type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { once } from 'node:events';
import { collect, type HttpExchange, type HttpNode, reasonOf } from './http-exchange.ts';

export interface StreamRequest {
  readonly method: string;
  /** With `/v1/`, percent-encoded. */
  readonly target: string;
  readonly headers: { readonly [name: string]: string };
  /** How long nothing may move. */
  readonly idleMs: number;
}

/** A body that was handed on in full. */
export interface Streamed {
  readonly kind: 'streamed';
  readonly headers: IncomingMessage['headers'];
  readonly bytes: number;
}

/**
 * One request whose answer may be too large to hold: a successful one goes to `take`, piece by piece, no faster than that takes them.
 * Rejects only with what `take` throws.
 */
export async function download(
  node: HttpNode,
  request: StreamRequest,
  take: (data: Uint8Array) => Promise<void>,
): Promise<HttpExchange | Streamed> {
  const sent = begin(node, request, {});
  sent.end();
  const response = await responseTo(node, sent);
  if ('kind' in response) return response;
  if (response.statusCode !== 200 || response.headers['content-type'] === 'application/json')
    return await new Promise((resolve) => collect(response, resolve));
  let bytes = 0;
  const body = response[Symbol.asyncIterator]();
  for (;;) {
    const next = await nextOf(body);
    if (next instanceof Error) return { kind: 'lost', message: `the answer broke off: ${next.message}` };
    if (next.done === true) break;
    bytes += next.value.length;
    await take(next.value).catch((fault: unknown) => {
      response.destroy();
      throw fault;
    });
  }
  const declared = response.headers['content-length'];
  if (declared !== undefined && Number(declared) !== bytes)
    return { kind: 'lost', message: `the answer broke off after ${bytes} of ${declared} bytes` };
  return { kind: 'streamed', headers: response.headers, bytes };
}

/** One request with a large body, which is sent once the server has said that it wants it. Rejects only with what `body` throws. */
export async function upload(
  node: HttpNode,
  request: StreamRequest,
  body: { readonly bytes: number; readonly data: AsyncIterable<Uint8Array> },
): Promise<HttpExchange> {
  const sent = begin(node, request, { 'Content-Length': String(body.bytes), Expect: '100-continue' });
  sent.flushHeaders();
  const answered = responseTo(node, sent);
  const isWanted = await Promise.race([
    once(sent, 'continue').then(
      () => true,
      () => false,
    ),
    answered.then(() => false),
  ]);
  if (isWanted) await send(sent, body.data);
  const response = await answered;
  if ('kind' in response) return response;
  const exchange = await new Promise<HttpExchange>((resolve) => collect(response, resolve));
  // The rest of a body that was refused is not sent.
  if (!sent.writableEnded) sent.destroy();
  return exchange;
}

async function send(sent: ClientRequest, data: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const piece of data) {
      if (sent.destroyed) return;
      if (!sent.write(piece)) await drained(sent);
    }
    sent.end();
  } catch (fault) {
    sent.destroy();
    throw fault;
  }
}

/** Resolves when more can be sent, or nothing can any more. */
function drained(sent: ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      sent.off('drain', end);
      sent.off('close', end);
      resolve();
    };
    sent.on('drain', end);
    sent.on('close', end);
    if (sent.destroyed) end();
  });
}

function begin({ address, agent }: HttpNode, request: StreamRequest, more: { [name: string]: string }): ClientRequest {
  const { method, target: path, idleMs } = request;
  const headers = { ...request.headers, ...more };
  const target = { host: address.host, port: address.port, method, path, headers, agent };
  const sent = address.isPlain ? plainRequest(target) : tlsRequest(target);
  sent.setTimeout(idleMs, () => sent.destroy(new Error(`nothing came for ${Math.round(idleMs / 1000)} s`)));
  return sent;
}

/** The response, once its head is there. Never rejects. */
function responseTo({ address }: HttpNode, sent: ClientRequest): Promise<IncomingMessage | HttpExchange> {
  let isConnected = false;
  sent.once('socket', (socket) => {
    if (!socket.connecting) isConnected = true;
    else socket.once(address.isPlain ? 'connect' : 'secureConnect', () => (isConnected = true));
  });
  return new Promise((resolve) => {
    sent.once('response', resolve);
    sent.on('error', (fault) =>
      resolve(
        isConnected
          ? { kind: 'lost', message: `no answer from ${address.spelled}: ${fault.message}` }
          : { kind: 'not-sent', message: `cannot connect to ${address.spelled}: ${reasonOf(fault)}` },
      ),
    );
  });
}

/** The next piece of a body, or why there is none. */
async function nextOf(body: AsyncIterator<Buffer>): Promise<IteratorResult<Buffer> | Error> {
  try {
    return await body.next();
  } catch (fault) {
    return fault instanceof Error ? fault : new Error(String(fault));
  }
}
