import type { Call, Decision } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { PkiFact } from './facts.ts';
import { roleKey, rolePrefix } from './keys.ts';
import { listReply, type PageValues, pageOf } from './list-page.ts';
import { role as roleRecord } from './records.ts';
import { roleReply } from './write-role.ts';

export function readRole(call: Call, { name }: { readonly name: string }): Decision<PkiFact> {
  const bytes = call.state.get(roleKey(name));
  if (bytes === undefined) throw new LockstepError('not-found', '');
  return { reply: { data: roleReply(roleRecord.decode(bytes)) } };
}

/** Deleting a role that isn't there is no error. Its certificates stay. */
export function deleteRole(call: Call, { name }: { readonly name: string }): Decision<PkiFact> {
  return { facts: call.state.get(roleKey(name)) === undefined ? [] : [{ type: 'roleDeleted', name }], reply: {} };
}

export async function listRoles(call: Call, page: PageValues): Promise<Decision<PkiFact>> {
  return listReply(await pageOf(call.state, rolePrefix, page), (rest) => rest);
}
