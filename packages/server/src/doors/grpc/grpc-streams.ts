import { once } from 'node:events';
import type { sendUnaryData, ServerReadableStream, ServerWritableStream } from '@grpc/grpc-js';
import { LockstepError } from '@lockstep/contract/errors';
import type { DoorReply, DoorRequest, Handle, OnRefused } from '../door.ts';
import { errorReplyOf } from '../reply-shape.ts';
import { grpcError } from './grpc-error.ts';
import { type AnyCall, callContext, type Message, readableCall, type Target } from './grpc-request.ts';
import { grpcMessageDataBytes } from '../limits.ts';

/** What a streaming call needs of the door. */
export interface StreamingDoor {
  readonly handle: Handle;
  readonly onRefused: OnRefused;
  readonly newRequestId: () => string;
  readonly nowMs: () => number;
  readonly onFault: (fault: unknown, requestId: string) => void;
}

type Downloading = ServerWritableStream<Message, Message>;
type Uploading = ServerReadableStream<Message, Message>;

/** `SaveSnapshot`: the reply's bytes, in messages with a field `data`. Never rejects. */
export async function serveDownload(door: StreamingDoor, call: Downloading, path: string): Promise<void> {
  const requestId = door.newRequestId();
  const target: Target = { operation: 'read', path, data: {} };
  let reply: DoorReply;
  const gone = new AbortController();
  call.once('cancelled', () => gone.abort());
  try {
    const context = callContext(call, door.nowMs());
    reply = await door.handle({ ...context, ...target, requestId, signal: gone.signal });
  } catch (fault) {
    call.emit('error', await refusalOf(door, { call, target, requestId }, fault));
    return;
  }
  if (reply.kind !== 'stream') {
    call.emit('error', grpcError(reply.kind === 'error' ? reply : noStream, requestId));
    return;
  }
  try {
    for await (const chunk of reply.chunks) {
      if (call.cancelled) return;
      for (let at = 0; at < chunk.length; at += grpcMessageDataBytes) {
        const isTaken = call.write({ data: chunk.subarray(at, at + grpcMessageDataBytes) });
        if (!isTaken) await once(call, 'drain', { signal: gone.signal });
      }
    }
    call.end();
  } catch (fault) {
    // A caller that went away hears nothing more.
    if (!call.cancelled) call.emit('error', cutShort(door, fault, requestId));
  } finally {
    await reply.close();
  }
}

const noStream = { kind: 'error', code: 'internal', messages: ['internal error'] } as const;

/** `RestoreSnapshot`: messages with a field `data`, the first with what the path depends on. Never rejects. */
export async function serveUpload(
  door: StreamingDoor,
  upload: {
    readonly call: Uploading;
    readonly answer: sendUnaryData<Message>;
    readonly path: (first: Message) => string;
  },
): Promise<void> {
  const { call, answer } = upload;
  const requestId = door.newRequestId();
  const gone = new AbortController();
  call.once('cancelled', () => gone.abort());
  let target: Target | undefined;
  try {
    const context = callContext(call, door.nowMs());
    const messages = call.iterator({ destroyOnReturn: false });
    const first = await messages.next();
    const opening: Message = first.done === true ? {} : first.value;
    target = { operation: 'write', path: upload.path(opening), data: {} };
    const request: DoorRequest = {
      ...context,
      ...target,
      body: dataOf(opening, messages),
      requestId,
      signal: gone.signal,
    };
    const reply = await door.handle(request);
    if (reply.kind === 'reply') answer(null, { ...reply.reply.data });
    else answer(grpcError(reply.kind === 'error' ? reply : noStream, requestId));
  } catch (fault) {
    answer(await refusalOf(door, { call, target, requestId }, fault));
  }
  // What a refused caller still sends is thrown away.
  call.resume();
}

async function* dataOf(first: Message, rest: AsyncIterator<Message>): AsyncGenerator<Uint8Array> {
  for (let message: Message | undefined = first; message !== undefined; ) {
    const { data } = message;
    if (data !== undefined && !Buffer.isBuffer(data)) throw new LockstepError('invalid-input', 'data must be bytes');
    if (data !== undefined) yield data;
    const next: IteratorResult<Message> = await rest.next();
    message = next.done === true ? undefined : next.value;
  }
}

/** Of a call that never became a request. */
async function refusalOf(
  door: StreamingDoor,
  of: { readonly call: AnyCall; readonly target: Target | undefined; readonly requestId: string },
  fault: unknown,
): Promise<ReturnType<typeof grpcError>> {
  const { call, target, requestId } = of;
  const refusal = errorReplyOf(fault);
  if (refusal.code === 'internal') door.onFault(fault, requestId);
  return grpcError(await door.onRefused({ ...readableCall(call, target), requestId, refusal }), requestId);
}

/** Of a reply that was begun, and audited. */
function cutShort(door: StreamingDoor, fault: unknown, requestId: string): ReturnType<typeof grpcError> {
  const refusal = errorReplyOf(fault);
  if (refusal.code === 'internal') door.onFault(fault, requestId);
  return grpcError(refusal, requestId);
}
