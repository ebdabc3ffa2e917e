import type { IncomingMessage } from 'node:http';
import type { Operation } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { parseBoolean } from '@lockstep/contract/fields';
import { callerToken, passedOn, remoteAddress } from '../credentials.ts';
import type { DoorRequest, RefusedRequest } from '../door.ts';
import { parseJsonObject } from '../json-body.ts';
import { deadlineMsMax, headerValueBytesMax, idempotencyKeyBytesMax, pathBytesMax, targetBytesMax } from '../limits.ts';
import { parseQuery } from '../query.ts';
import { pathOfTarget } from '../request-path.ts';
import { methodOf, networkSocket } from './list-verb.ts';

/** What the request line and headers say. */
export interface RequestHead {
  /** All of a DoorRequest that does not need the body. */
  readonly known: Omit<DoorRequest, 'data' | 'requestId' | 'signal'>;
  readonly query: { readonly [name: string]: string | readonly string[] };
  /** Reads, lists and deletes take the query instead; what they send as a body is not looked at, as with Vault. */
  readonly takesBody: boolean;
  readonly isForm: boolean;
}

export const methodsServed = 'GET, HEAD, LIST, POST, PUT, PATCH, DELETE';

/** Reads and checks the head of a request. Refuses with the code and text that the caller gets. */
export function requestHead(request: IncomingMessage): RequestHead {
  const target = request.url ?? '';
  checkTarget(target);
  checkRepeatedHeaders(request.rawHeaders);
  const path = pathOfTarget(target);
  if (path === undefined) throw new LockstepError('not-found', '');
  const at = target.indexOf('?');
  const parameters = at < 0 ? {} : parseQuery(target.slice(at + 1));
  const { operation, query } = operationOf(methodOf(request), path, parameters);
  refuseUnserved(request.headers);
  const takesBody = operation === 'write' || operation === 'patch';
  if (takesBody && Object.keys(query).length > 0)
    throw new LockstepError('invalid-input', 'query parameters are not taken by a write; send them in the body');
  return {
    known: {
      operation,
      path,
      token: callerToken(header(request, 'x-vault-token'), request.headers.authorization),
      remoteAddress: remoteAddress(networkSocket(request).remoteAddress),
      door: 'http',
      namespace: passedOn('x-vault-namespace', header(request, 'x-vault-namespace'), headerValueBytesMax),
      idempotencyKey: passedOn('idempotency-key', header(request, 'idempotency-key'), idempotencyKeyBytesMax),
      wrapTtl: passedOn('x-vault-wrap-ttl', header(request, 'x-vault-wrap-ttl'), headerValueBytesMax),
      deadlineMs: deadlineOf(request.headers['x-lockstep-timeout']),
    },
    query,
    takesBody,
    isForm: takesBody && checkContentType(operation, request.headers['content-type']),
  };
}

/** What can be told of a request whose head is refused. Throws nothing. */
export function readableHead(request: IncomingMessage): Omit<RefusedRequest, 'requestId' | 'refusal'> {
  const [sent = ''] = (request.url ?? '').split('?', 1);
  const operation = operationsByMethod[methodOf(request)];
  return {
    operation,
    path: (sent.startsWith('/v1/') ? sent.slice('/v1/'.length) : sent).slice(0, pathBytesMax),
    token: readableToken(request),
    remoteAddress: remoteAddress(networkSocket(request).remoteAddress),
    door: 'http',
  };
}

function readableToken(request: IncomingMessage): DoorRequest['token'] {
  try {
    return callerToken(header(request, 'x-vault-token'), request.headers.authorization);
  } catch {
    // Two that differ, or what is no token: the refusal says so.
    return undefined;
  }
}

const operationsByMethod: { readonly [method: string]: Operation | undefined } = {
  GET: 'read',
  LIST: 'list',
  POST: 'write',
  PUT: 'write',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** The fields that a body holds. JSON is known by its first byte, whatever the content type says: Go's client sends none, curl a form's. */
export function bodyFields(head: RequestHead, body: Buffer): { readonly [name: string]: unknown } {
  if (!head.takesBody) return head.query;
  const first = firstByte(body);
  if (first === undefined) return {};
  const isJson = first === 0x7b || first === 0x5b;
  return head.isForm && !isJson ? parseQuery(body.toString('latin1').trim()) : parseJsonObject(body);
}

function firstByte(body: Buffer): number | undefined {
  for (const byte of body) if (byte > 0x20) return byte;
  return undefined;
}

function checkTarget(target: string): void {
  if (!target.startsWith('/')) throw new LockstepError('invalid-input', 'absolute request target not allowed');
  if (target.length > targetBytesMax)
    throw new LockstepError('invalid-input', `request target is longer than ${targetBytesMax} bytes`);
  if (!/^[\u0021-\u007e]*$/.test(target))
    throw new LockstepError('invalid-input', 'path has bytes that must be percent-encoded');
}

/** Headers that mean something to us must be there once: Node takes the first `Host` or `Authorization`, others may take the last. */
function checkRepeatedHeaders(rawHeaders: readonly string[]): void {
  let hosts = 0;
  let authorizations = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
    else if (name.length === 13 && name.toLowerCase() === 'authorization') authorizations += 1;
  }
  if (hosts > 1) throw new LockstepError('invalid-input', 'duplicate host header');
  if (authorizations > 1) throw new LockstepError('invalid-input', 'duplicate authorization header');
}

type Parameters = RequestHead['query'];

function operationOf(method: string, path: string, query: Parameters): { operation: Operation; query: Parameters } {
  if (Object.hasOwn(query, 'help') && parseBoolean('help', query['help'] === '' ? 'true' : query['help']))
    throw new LockstepError('unsupported-operation', 'path help is not served');
  switch (method) {
    case 'GET':
      return readOrList(query);
    case 'HEAD':
      // The reply's body is left out; only health checks ask for that.
      if (path === 'sys/health') return { operation: 'read', query };
      break;
    case 'LIST': {
      const { list: _, ...rest } = query;
      return { operation: 'list', query: rest };
    }
    case 'POST':
    case 'PUT':
      return { operation: 'write', query };
    case 'PATCH':
      return { operation: 'patch', query };
    case 'DELETE':
      return { operation: 'delete', query };
  }
  throw new LockstepError('unsupported-operation', 'unsupported operation');
}

function readOrList(query: Parameters): { operation: Operation; query: Parameters } {
  if (Object.hasOwn(query, 'scan') && parseBoolean('scan', query['scan']))
    throw new LockstepError('unsupported-operation', 'scan is not served; list each level');
  if (!Object.hasOwn(query, 'list')) return { operation: 'read', query };
  const { list, ...rest } = query;
  return { operation: parseBoolean('list', list) ? 'list' : 'read', query: rest };
}

/** Headers that change what a request means to Vault, and are not served here: to leave them unread would mislead. */
const unservedHeaders = ['x-vault-mfa', 'x-vault-wrap-format', 'x-vault-policy-override'] as const;

function refuseUnserved(headers: IncomingMessage['headers']): void {
  for (const name of unservedHeaders)
    if (headers[name] !== undefined) throw new LockstepError('invalid-input', `header ${name} is not supported`);
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    throw new LockstepError('unsupported-media-type', 'content-encoding is not supported');
}

/** Whether the body may be a form. A patch must say that it is a merge patch (RFC 7396), as Vault demands. */
function checkContentType(operation: Operation, contentType: string | undefined): boolean {
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase();
  if (operation === 'patch' && type !== 'application/merge-patch+json')
    throw new LockstepError('unsupported-media-type', 'a patch needs content type application/merge-patch+json');
  return type === 'application/x-www-form-urlencoded';
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** `X-Lockstep-Timeout: 1500ms` or `5s`: how long the caller will wait. */
function deadlineOf(value: string | readonly string[] | undefined): number | undefined {
  if (value === undefined) return undefined;
  const found = typeof value === 'string' ? /^(\d{1,7})(ms|s)$/.exec(value) : null;
  const ms = found === null ? 0 : Number(found[1]) * (found[2] === 's' ? 1000 : 1);
  if (ms <= 0) throw new LockstepError('invalid-input', 'header x-lockstep-timeout must be like 1500ms or 5s');
  return Math.min(ms, deadlineMsMax);
}
