import type { AuthReply, Operation, Reply } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import type { DoorReply } from './door.ts';

/** Vault's rule for both doors: reading nothing, or listing nothing, is `not-found` without a message. */
export function isNothing(operation: Operation, reply: Reply): boolean {
  if (operation !== 'read' && operation !== 'list') return false;
  if (reply.raw !== undefined || reply.auth !== undefined || reply.warnings !== undefined) return false;
  if (reply.data === undefined) return true;
  const keys = reply.data['keys'];
  return operation === 'list' && Array.isArray(keys) && keys.length === 0;
}

/** Vault's `auth` object. */
export function authShape(auth: AuthReply): JsonObject {
  return {
    client_token: auth.clientToken,
    accessor: auth.accessor,
    policies: auth.policies,
    token_policies: auth.policies,
    metadata: auth.metadata,
    lease_duration: auth.leaseDurationSeconds,
    renewable: auth.isRenewable,
    entity_id: '',
    token_type: auth.tokenType,
    orphan: auth.isOrphan,
    mfa_requirement: null,
    num_uses: auth.numUses,
  };
}

export type ErrorReply = Extract<DoorReply, { kind: 'error' }>;

/** What a caller sees of whatever was thrown: refusals as they are, faults of the program as `internal`, without their text. */
export function errorReplyOf(fault: unknown): ErrorReply {
  if (!(fault instanceof LockstepError)) return { kind: 'error', code: 'internal', messages: ['internal error'] };
  return {
    kind: 'error',
    code: fault.code,
    messages: fault.message === '' ? [] : [fault.message],
    ...(fault.field === undefined ? {} : { field: fault.field }),
    ...(fault.replyBody === undefined ? {} : { body: fault.replyBody as JsonObject }),
  };
}
