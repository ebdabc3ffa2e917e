import { fieldError, LockstepError } from '@lockstep/contract/errors';
import { type Route, routesOf } from '@lockstep/contract/engine';
import { booleanField, durationField, type FieldSpec, integerField, textField } from '@lockstep/contract/fields';
import { readInvite } from '@lockstep/engine-system/cluster-state';
import type { ClusterAuthority, SystemFact } from '@lockstep/engine-system/facts';
import { admitNewcomer, type AdmitParts } from './admit-newcomer.ts';
import { askMembers } from './ask-leader.ts';
import { makeAuthority } from './authority.ts';
import type { ChangeParts } from './change-members.ts';
import { invite, type InviteParts, inviteReply, readInvites } from './invite.ts';
import { inviteTtlSeconds, inviteTtlSecondsMax } from './limits.ts';

export interface JoinRouteParts extends AdmitParts {
  readonly rules: () => ChangeParts['rules'];
  /** Of a node that founded its cluster, and whose authority is not in the state yet. */
  readonly founderAuthority: () => ClusterAuthority | undefined;
}

const route = routesOf<SystemFact>();

/** How nodes come in: an operator invites, a newcomer is admitted. */
export function joinRoutes(of: JoinRouteParts): readonly Route<SystemFact>[] {
  return [...inviteRoutes(of), admitRoute(of), ...takenRoutes()];
}

async function inviteParts(of: JoinRouteParts): Promise<InviteParts> {
  return {
    clusterId: of.clusterId,
    view: await askMembers(of.consensus),
    rules: of.rules(),
    newAuthority: async ({ random, now: nowMs }) =>
      of.founderAuthority() ?? (await makeAuthority({ clusterId: of.clusterId, random, nowMs })),
  };
}

function inviteRoutes(of: JoinRouteParts): readonly Route<SystemFact>[] {
  return [
    route({
      operation: 'write',
      path: 'cluster/invite',
      summary: 'Make a token that one node may join with; it is told once',
      needsSudo: true,
      fields: {
        ttl: durationField({ description: 'How long it holds (at most a week)', default: inviteTtlSeconds }),
        note: textField({ description: 'For people to read', default: '', max: 256 }),
        non_voter: booleanField({ description: 'The node stays a learner', default: false }),
        dry_run: booleanField({ description: 'Only tell what would happen to the quorum', default: false }),
      },
      handle: async (call, fields) => {
        if (fields.ttl < 1 || fields.ttl > inviteTtlSecondsMax)
          throw fieldError('ttl', `must be from 1 to ${inviteTtlSecondsMax} seconds`);
        return await invite(call, await inviteParts(of), fields);
      },
    }),
    route({
      operation: 'list',
      path: 'cluster/invites',
      summary: 'List the invitations, used or not',
      needsSudo: true,
      fields: {},
      handle: async (call) => {
        const invites = await readInvites(call);
        const info = Object.fromEntries(invites.map((made) => [made.id, inviteReply(made)]));
        return { reply: { data: { keys: invites.map(({ id }) => id), key_info: info } } };
      },
    }),
    route({
      operation: 'delete',
      path: 'cluster/invites/:id',
      summary: 'Revoke an invitation',
      needsSudo: true,
      fields: { id: textField({ description: 'Id of the invitation', required: true, max: 64 }) },
      handle: (call, { id }) => {
        if (readInvite(call.state, id) === undefined)
          throw new LockstepError('not-found', `there is no invitation "${id}"`);
        return { facts: [{ type: 'invitesForgotten', ids: [id] }], reply: {} };
      },
    }),
  ];
}

function admitRoute(of: JoinRouteParts): Route<SystemFact> {
  const address = (description: string): FieldSpec<string> => textField({ description, required: true, max: 300 });
  return route({
    operation: 'write',
    path: 'cluster/admit',
    summary: 'A node that was invited asks to be let in; it proves that by the secret of its token',
    isPublic: true,
    fields: {
      invite: textField({ description: 'Id of the invitation', required: true, max: 64 }),
      csr: textField({ description: 'Certificate request (PKCS #10), DER in base64', required: true, max: 16_384 }),
      proof: textField({ description: 'HMAC over all of this, in base64', required: true, max: 64 }),
      node: integerField({ description: 'Id that the node has drawn', required: true, min: 1 }),
      incarnation: integerField({ description: 'Drawn with its disk', required: true, min: 1 }),
      name: textField({ description: 'Its name', required: true, max: 64 }),
      peer_address: address('host:port for the other nodes'),
      api_address: address('URL of its HTTP door'),
      grpc_address: address('host:port of its gRPC door'),
    },
    handle: async (call, fields) => await admitNewcomer(call, of, fields),
  });
}

/** What a node that is no member yet offers under these paths. */
function takenRoutes(): readonly Route<SystemFact>[] {
  return (['cluster/join', 'storage/raft/join'] as const).map((path) =>
    route({
      operation: 'write',
      path,
      summary: 'Only a node that belongs to no cluster yet takes a join token',
      fields: {},
      isPublic: true,
      handle: () => {
        throw new LockstepError('failed-precondition', 'this node is a member of its cluster already');
      },
    }),
  );
}
