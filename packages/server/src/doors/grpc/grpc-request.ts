import type { Metadata } from '@grpc/grpc-js';
import { LockstepError } from '@lockstep/contract/errors';
import { callerToken, passedOn, remoteAddress } from '../credentials.ts';
import type { DoorRequest, RefusedRequest } from '../door.ts';
import { parseJsonObject } from '../json-body.ts';
import { deadlineMsMax, headerValueBytesMax, idempotencyKeyBytesMax } from '../limits.ts';
import { checkedPath } from '../request-path.ts';
import type { PathTemplate } from './path-template.ts';

/** A decoded message: absent members were not sent. */
export type Message = { readonly [field: string]: unknown };
export type Target = Pick<DoorRequest, 'operation' | 'path' | 'data'>;

/** What a typed call asks for. */
export function typedTarget(
  operation: DoorRequest['operation'],
  fill: PathTemplate,
  jsonFields: readonly string[],
): (message: Message) => Target {
  return (message) => {
    const { path, rest } = fill(message);
    for (const field of jsonFields) {
      const json = rest[`${field}_json`];
      delete rest[`${field}_json`];
      if (json !== undefined) rest[field] = jsonOf(field, json);
    }
    return { operation, path, data: rest };
  };
}

function jsonOf(field: string, json: unknown): { readonly [name: string]: unknown } {
  if (!Buffer.isBuffer(json)) throw new LockstepError('invalid-input', `${field}_json must be bytes`);
  return json.length === 0 ? {} : parseJsonObject(json);
}

const operations: { readonly [name: string]: DoorRequest['operation'] } = {
  OPERATION_READ: 'read',
  OPERATION_WRITE: 'write',
  OPERATION_PATCH: 'patch',
  OPERATION_DELETE: 'delete',
  OPERATION_LIST: 'list',
};

/** What a generic call asks for. */
export function callTarget(message: Message): Target {
  const name = message['operation'];
  // A number that is no operation comes as a number.
  const operation = typeof name === 'string' && Object.hasOwn(operations, name) ? operations[name] : undefined;
  if (operation === undefined)
    throw new LockstepError('invalid-input', `operation must be one of ${Object.keys(operations).join(', ')}`);
  const path = message['path'];
  if (typeof path !== 'string' || path === '') throw new LockstepError('invalid-input', 'path is required');
  return { operation, path: checkedPath(path), data: jsonOf('data', message['data_json'] ?? Buffer.alloc(0)) };
}

/** A call of whichever kind, as far as its head goes. */
export interface AnyCall {
  readonly metadata: Metadata;
  readonly getPeer: () => string;
  readonly getPath: () => string;
  readonly getDeadline: () => Date | number;
}

/** What the metadata and connection of a call say. */
export function callContext(
  call: AnyCall,
  nowMs: number,
): Omit<DoorRequest, 'operation' | 'path' | 'data' | 'requestId' | 'signal'> {
  const { metadata } = call;
  return {
    token: callerToken(single(metadata, 'x-vault-token'), single(metadata, 'authorization')),
    remoteAddress: addressOf(call.getPeer()),
    door: 'grpc',
    namespace: passedOn('x-vault-namespace', single(metadata, 'x-vault-namespace'), headerValueBytesMax),
    idempotencyKey: passedOn('idempotency-key', single(metadata, 'idempotency-key'), idempotencyKeyBytesMax),
    wrapTtl: passedOn('x-vault-wrap-ttl', single(metadata, 'x-vault-wrap-ttl'), headerValueBytesMax),
    deadlineMs: deadlineOf(call.getDeadline(), nowMs),
  };
}

/** What can be told of a call that is refused: for one whose path could not be made, the call's own name. Throws nothing. */
export function readableCall(call: AnyCall, target: Target | undefined): Omit<RefusedRequest, 'requestId' | 'refusal'> {
  return {
    operation: target?.operation,
    path: target?.path ?? call.getPath().replace(/^\//, ''),
    token: readableToken(call.metadata),
    remoteAddress: addressOf(call.getPeer()),
    door: 'grpc',
  };
}

function readableToken(metadata: Metadata): DoorRequest['token'] {
  try {
    return callerToken(single(metadata, 'x-vault-token'), single(metadata, 'authorization'));
  } catch {
    // Two that differ, or what is no token: the refusal says so.
    return undefined;
  }
}

/** HTTP/2 joins repeated ones with commas, as it does for headers. */
function single(metadata: Metadata, name: string): string | undefined {
  return metadata.get(name)[0]?.toString();
}

/** Undefined when the caller set none. Refuses one that has passed: nothing is started for it. */
function deadlineOf(deadline: Date | number, nowMs: number): number | undefined {
  const at = Number(deadline);
  if (at === Number.POSITIVE_INFINITY) return undefined;
  const left = Math.floor(at - nowMs);
  if (left <= 0) throw new LockstepError('deadline-exceeded', 'the deadline passed before the request was started');
  return Math.min(left, deadlineMsMax);
}

/** grpc-js says `address:port`. */
function addressOf(peer: string): string {
  const colon = peer.lastIndexOf(':');
  return remoteAddress(colon < 0 ? peer : peer.slice(0, colon));
}
