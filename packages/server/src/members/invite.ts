import type { Call, Decision } from '@lockstep/contract/engine';
import { unchanged } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import { Secret } from '@lockstep/contract/secret';
import type { MembersView } from '@lockstep/core/members/members-view';
import { type ChangeRules, planChange } from '@lockstep/core/members/plan-change';
import { pinOf } from '@lockstep/core/peers/peer-pin';
import { memberOf } from '@lockstep/core/raft/roster';
import { membersOf } from '@lockstep/core/raft/membership';
import { readAuthority } from '@lockstep/engine-system/cluster-state';
import type { ClusterAuthority, SystemFact } from '@lockstep/engine-system/facts';
import { authorityKey, invitePrefix } from '@lockstep/engine-system/keys';
import { storedInvite, type StoredInvite } from '@lockstep/engine-system/stored-invites';
import { newNodeId } from './found-cluster.ts';
import { encodeJoinToken, joinKey } from './join-token.ts';
import { invitesKept, invitesMax, joinAddressesMax, joinSecretBytes } from './limits.ts';
import { planReply } from './member-replies.ts';

export interface InviteParts {
  readonly clusterId: string;
  readonly view: MembersView;
  readonly rules: ChangeRules;
  /** Makes the cluster's authority, or brings the one that its founder made. */
  readonly newAuthority: (call: Call) => Promise<ClusterAuthority>;
}

export interface InviteFields {
  readonly ttl: number;
  readonly note: string;
  readonly non_voter: boolean;
  readonly dry_run: boolean;
}

/** Makes a token that one node may join with. The token is told once, and kept nowhere. */
export async function invite(call: Call, parts: InviteParts, fields: InviteFields): Promise<Decision<SystemFact>> {
  const addresses = doorAddresses(parts);
  const invites = await readInvites(call);
  const open = invites.filter((made) => isOpen(made, call.now));
  if (open.length >= invitesMax)
    throw new LockstepError(
      'failed-precondition',
      `there are ${invitesMax} invitations that nobody has used: revoke some, or let them end`,
    );
  if (fields.dry_run) return { reply: { data: { dry_run: true, ...plannedFor(parts, fields) } } };
  const known = readAuthority(call.state);
  const authority = known ?? (await parts.newAuthority(call));
  const secret = new Secret(Buffer.from(call.random(joinSecretBytes)));
  const made = {
    id: call.random(8).toString('hex'),
    key: joinKey(secret),
    note: fields.note,
    isVoter: !fields.non_voter,
    createdMs: call.now,
    expiresMs: call.now + fields.ttl * 1000,
  };
  const pin = pinOf(authority.certificate);
  const token = encodeJoinToken({
    clusterId: parts.clusterId,
    pin,
    inviteId: made.id,
    secret,
    addresses,
    expiresMs: made.expiresMs,
  });
  return {
    facts: [
      ...(known === undefined ? [{ type: 'clusterAuthorityMade' as const, ...authority }] : []),
      ...forgetting(invitesToForget(invites, call.now)),
      { type: 'inviteMade', ...made },
    ],
    // Two invitations at once must not make two authorities.
    expects: [unchanged(call.state, authorityKey)],
    reply: { data: { token, ...inviteReply({ ...made, use: undefined }), addresses: [...addresses] } },
    isSecret: true,
  };
}

/** Those that were used or are over, the earliest first, so that one more may be kept. */
export function invitesToForget(invites: readonly StoredInvite[], nowMs: number): readonly string[] {
  const surplus = Math.max(0, invites.length + 1 - invitesKept);
  return invites
    .filter((made) => !isOpen(made, nowMs))
    .toSorted((a, b) => a.expiresMs - b.expiresMs)
    .slice(0, surplus)
    .map(({ id }) => id);
}

function forgetting(ids: readonly string[]): readonly SystemFact[] {
  return ids.length === 0 ? [] : [{ type: 'invitesForgotten', ids }];
}

function isOpen({ use, expiresMs }: StoredInvite, nowMs: number): boolean {
  return use === undefined && expiresMs > nowMs;
}

export async function readInvites(call: Call): Promise<readonly StoredInvite[]> {
  const keys = await call.state.keys({ prefix: invitePrefix, limit: 2 * invitesKept });
  return keys.flatMap((key) => {
    const stored = call.state.get(key);
    return stored === undefined ? [] : [storedInvite.decode(stored)];
  });
}

export function inviteReply({ id, note, isVoter, createdMs, expiresMs, use }: Omit<StoredInvite, 'key'>): JsonObject {
  return {
    id,
    note,
    non_voter: !isVoter,
    created_at: new Date(createdMs).toISOString(),
    expires_at: new Date(expiresMs).toISOString(),
    used_by: use === undefined ? '' : String(use.node),
  };
}

/** Where a newcomer may knock: those first that are there. */
function doorAddresses({ view, rules }: InviteParts): readonly string[] {
  const silentMs = (node: number): number => view.health.find((health) => health.node === node)?.silentMs ?? Infinity;
  const doors = membersOf(view.membership)
    .toSorted((a, b) => Number(silentMs(a) > rules.silentMsMax) - Number(silentMs(b) > rules.silentMsMax))
    .flatMap((node) => memberOf(view.membership, node)?.apiAddress ?? [])
    .filter((address) => address.startsWith('https://'));
  if (doors.length === 0)
    throw new LockstepError(
      'failed-precondition',
      'no member has an HTTP door with TLS, at which a newcomer could ask',
    );
  return doors.slice(0, joinAddressesMax);
}

/** The quorum with one node more, as a learner, and then as a voter. */
function plannedFor({ view, rules }: InviteParts, fields: InviteFields): JsonObject {
  const node = newNodeId();
  const plan = planChange(view, { steps: [{ kind: 'add-learner', node }], members: [] }, rules);
  const voters = plan.before.voters.length + (fields.non_voter ? 0 : 1);
  const quorum = Math.floor(voters / 2) + 1;
  return {
    ...planReply(plan),
    once_caught_up: { voters, quorum, failures_tolerated: voters - quorum },
  };
}
