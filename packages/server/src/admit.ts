import { type Token, authenticate } from '@lockstep/auth/token/lookup';
import type { Call, Caller, Capability, Engine, Operation, Route } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { parseFields } from '@lockstep/contract/fields';
import type { TimeMs } from '@lockstep/contract/ids';
import type { Acl } from '@lockstep/policy/acl';
import type { DoorRequest } from './doors/door.ts';
import { policyKeysOf } from './caller-acl.ts';
import type { Host } from './host.ts';
import { policyMount, tokenMount } from './mounts.ts';
import { type ResolvedMount, resolveMount } from './resolve-mount.ts';
import type { HostExpect } from './transaction.ts';

/** A request that may go ahead: who asks, for which route, with which checked fields, and what that relied on. */
export interface Admitted {
  readonly caller: Caller | undefined;
  readonly token: Token | undefined;
  readonly mount: ResolvedMount;
  readonly engine: Engine;
  readonly route: Route<Uint8Array>;
  readonly fields: { readonly [name: string]: unknown };
  readonly call: Call;
  readonly unknownFields: readonly string[];
  readonly expects: readonly HostExpect[];
  /** Of the state that it is decided by. */
  readonly restoredIndex: number;
}

/** Who asks: undefined without a token; throws `denied` for one that isn't alive. */
export function identify(host: Host, request: DoorRequest, now: TimeMs): Token | undefined {
  if (request.token === undefined) return undefined;
  const token = authenticate(host.state(tokenMount), request.token, now);
  if (token === undefined) throw new LockstepError('denied', 'permission denied');
  return token;
}

/**
 * May this request go ahead? In this order, so that nobody learns more than their policies allow: token, policy for the path,
 * then whether the path exists, then its fields.
 */
export function admit(host: Host, request: DoorRequest, now: TimeMs): Admitted {
  // Before anything is read: a state that is restored meanwhile is another one.
  const { restoredIndex } = host;
  const token = identify(host, request, now);
  const mount = resolveMount(host, request.operation, request.path);
  const found = mount?.routes.find(request.operation, mount.relativePath);
  const isPublic = found?.kind === 'found' && found.match.route.isPublic;
  const acl = token === undefined ? undefined : host.acls.of(host.state(policyMount), token.policies);
  if (!isPublic && token === undefined)
    throw new LockstepError('denied', request.token === undefined ? 'missing client token' : 'permission denied');
  if (found?.kind !== 'found' || mount === undefined) {
    if (acl !== undefined) requireAny(acl, request);
    if (found?.kind === 'other-operations')
      throw new LockstepError('unsupported-operation', `unsupported operation: ${request.operation} ${request.path}`);
    throw new LockstepError('not-found', `no handler for route "${request.path}". route entry not found.`);
  }
  const { route, parameters } = found.match;
  const parsed = parseFieldsAfterPolicy(route, { ...request.data, ...parameters });
  const caller = token === undefined || acl === undefined ? undefined : callerOf(token, acl);
  const call = host.callFor({ mount, caller, presentedToken: token === undefined ? undefined : request.token, now });
  if (!isPublic && acl !== undefined)
    authorise(acl, { request, route, call, fields: parsed.kind === 'ok' ? parsed.values : undefined });
  if (parsed.kind === 'refused') throw parsed.error;
  return {
    caller,
    token,
    mount,
    engine: mount.engine,
    route,
    fields: parsed.values,
    call,
    unknownFields: parsed.unknown.filter((name) => !(name in parameters)),
    expects: token === undefined ? [] : expectsOf(host, token),
    restoredIndex,
  };
}

type Parsed =
  | { readonly kind: 'ok'; readonly values: { readonly [name: string]: unknown }; readonly unknown: readonly string[] }
  | { readonly kind: 'refused'; readonly error: LockstepError };

// Bad fields are told only to those who may use the path; so the refusal waits for the policy's answer.
function parseFieldsAfterPolicy(route: Route<Uint8Array>, raw: { readonly [name: string]: unknown }): Parsed {
  try {
    return { kind: 'ok', ...parseFields(route.fields, raw) };
  } catch (error) {
    if (error instanceof LockstepError) return { kind: 'refused', error };
    throw error;
  }
}

function authorise(
  acl: Acl,
  asked: { request: DoorRequest; route: Route<Uint8Array>; call: Call; fields: object | undefined },
): void {
  const { request, route, call, fields } = asked;
  const path = policyPath(request);
  const needed = neededCapability(route, call, fields);
  const allowed =
    typeof needed === 'string' ? acl.allows(path, needed) : needed.some((capability) => acl.allows(path, capability));
  if (!allowed || (route.needsSudo && !acl.allows(path, 'sudo')))
    throw new LockstepError('denied', 'permission denied');
}

function neededCapability(
  route: Route<Uint8Array>,
  call: Call,
  fields: object | undefined,
): Capability | readonly Capability[] {
  if (route.operation !== 'write') return route.operation;
  if (route.exists === undefined) return 'update';
  return fields === undefined ? ['create', 'update'] : route.exists(call, fields as never) ? 'update' : 'create';
}

function requireAny(acl: Acl, request: DoorRequest): void {
  const wanted: readonly Capability[] = request.operation === 'write' ? ['create', 'update'] : [request.operation];
  if (!wanted.some((capability) => acl.allows(policyPath(request), capability)))
    throw new LockstepError('denied', 'permission denied');
}

/** Policies see the path as asked; lists with their trailing slash, as Vault has it. */
function policyPath(request: { readonly operation: Operation; readonly path: string }): string {
  return request.operation === 'list' ? `${request.path}/` : request.path;
}

function callerOf(token: Token, acl: Acl): Caller {
  return {
    tokenId: token.id,
    accessor: token.accessor,
    displayName: token.displayName,
    policies: token.policies,
    isRoot: token.policies.includes('root'),
    mayUseBelow: acl.grantsBelow,
  };
}

function expectsOf(host: Host, token: Token): readonly HostExpect[] {
  const policies = host.state(policyMount);
  return [
    { kind: 'token-alive', tokenId: token.id },
    ...policyKeysOf(token).map(
      (key): HostExpect => ({ kind: 'unchanged', mount: policyMount, key, version: policies.version(key) }),
    ),
  ];
}
