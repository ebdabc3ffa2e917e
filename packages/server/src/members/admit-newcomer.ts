import { timingSafeEqual } from 'node:crypto';
import type { Call, Decision, Expect } from '@lockstep/contract/engine';
import { fieldError, LockstepError } from '@lockstep/contract/errors';
import type { JsonObject } from '@lockstep/contract/json';
import { NodeId } from '@lockstep/contract/ids';
import type { Consensus } from '@lockstep/core/port';
import { pinOf } from '@lockstep/core/peers/peer-pin';
import { membersOf } from '@lockstep/core/raft/membership';
import { memberOf } from '@lockstep/core/raft/roster';
import type { Member } from '@lockstep/core/raft/types';
import { pem } from '@lockstep/engine-pki/pem';
import { verifyCsrDer } from '@lockstep/engine-pki/verify-csr';
import { readAuthority, readInvite } from '@lockstep/engine-system/cluster-state';
import type { SystemFact } from '@lockstep/engine-system/facts';
import { inviteKey } from '@lockstep/engine-system/keys';
import type { StoredInvite } from '@lockstep/engine-system/stored-invites';
import { askMembers, changeMembers } from './ask-leader.ts';
import { issueNodeCertificate } from './authority.ts';
import { hostsOf } from './hosts.ts';
import { type JoinClaim, joinProof } from './join-token.ts';
import { nodeNameLengthMax } from './limits.ts';

export interface AdmitParts {
  readonly clusterId: string;
  readonly consensus: Consensus;
  /** Records facts at once, and resolves when they are applied here; rejects with nothing done where the expected did not hold. */
  readonly record: (facts: readonly SystemFact[], expects: readonly Expect[]) => Promise<void>;
}

export interface AdmitFields {
  readonly invite: string;
  /** DER, in base64. */
  readonly csr: string;
  /** In base64. */
  readonly proof: string;
  readonly node: number;
  readonly incarnation: number;
  readonly name: string;
  readonly peer_address: string;
  readonly api_address: string;
  readonly grpc_address: string;
}

/**
 * A newcomer asks to be let in, as a learner. It shows no token of this API: that it was invited it proves by the secret of its join token.
 * An invitation is spent before the membership changes, on this node and key alone, which may come again until it is in.
 */
export async function admitNewcomer(call: Call, parts: AdmitParts, fields: AdmitFields): Promise<Decision<never>> {
  const claim = claimOf(fields);
  const found = readInvite(call.state, claim.inviteId);
  requireProof(parts.clusterId, { claim, found, proof: Buffer.from(fields.proof, 'base64') });
  const csr = verifyCsrDer(claim.csr);
  const authority = readAuthority(call.state);
  if (found === undefined || authority === undefined) throw notInvited();
  const certificate = issueNodeCertificate(authority, {
    publicKey: csr.publicKey,
    name: claim.name,
    hosts: hostsOf({ peer: claim.peerAddress, api: claim.apiAddress, grpc: claim.grpcAddress }),
    nowMs: call.now,
    random: call.random,
  });
  const pin = pinOf(certificate);
  await spend(call, parts, { invite: found, node: claim.node, pin });
  await addLearner(parts.consensus, memberFrom(claim, pin));
  return {
    reply: {
      data: {
        cluster_id: parts.clusterId,
        certificate: pem('CERTIFICATE', certificate),
        ca: pem('CERTIFICATE', authority.certificate),
        members: await contacts(parts.consensus, claim.node),
      },
    },
  };
}

/** Nobody learns from the answer whether an invitation exists: without the secret all are the same. */
function requireProof(
  clusterId: string,
  of: { readonly claim: JoinClaim; readonly found: StoredInvite | undefined; readonly proof: Buffer },
): void {
  const expected = joinProof(of.found?.key ?? Buffer.alloc(32), clusterId, of.claim);
  const isProven = of.proof.length === expected.length && timingSafeEqual(of.proof, expected);
  if (!isProven || of.found === undefined) throw notInvited();
}

function notInvited(): LockstepError {
  return new LockstepError('denied', 'the invitation is not known, or the proof does not belong to it');
}

async function spend(
  call: Call,
  parts: AdmitParts,
  { invite, node, pin }: { readonly invite: StoredInvite; readonly node: number; readonly pin: string },
): Promise<void> {
  if (invite.use !== undefined) {
    if (invite.use.node === node && invite.use.pin === pin) return;
    throw new LockstepError('denied', 'the invitation was used by another node: each is for one');
  }
  if (invite.expiresMs <= call.now)
    throw new LockstepError('denied', `the invitation ended at ${new Date(invite.expiresMs).toISOString()}`);
  const key = inviteKey(invite.id);
  await parts.record(
    [{ type: 'inviteUsed', id: invite.id, node, pin }],
    [{ kind: 'unchanged', key, version: call.state.version(key) }],
  );
}

async function addLearner(consensus: Consensus, member: Member): Promise<void> {
  const { membership } = await askMembers(consensus);
  const known = memberOf(membership, member.node);
  if (known !== undefined && membersOf(membership).includes(member.node)) {
    // It asks again: the answer to its first request was lost.
    if (known.pin === member.pin && known.incarnation === member.incarnation) return;
    throw new LockstepError('failed-precondition', `node ${member.node} is a member already, with another key or disk`);
  }
  await changeMembers(consensus, { steps: [{ kind: 'add-learner', node: member.node }], members: [member] });
}

/** Whom the newcomer is to hear from, until a snapshot tells it. */
async function contacts(consensus: Consensus, newcomer: number): Promise<JsonObject[]> {
  const { membership } = await askMembers(consensus);
  return (membership.roster?.members ?? [])
    .filter(({ node }) => node !== newcomer)
    .map(({ node, name, peerAddress, apiAddress, grpcAddress, pin }) => ({
      id: node,
      name,
      peer_address: peerAddress,
      api_address: apiAddress,
      grpc_address: grpcAddress,
      pin,
    }));
}

function memberFrom(claim: JoinClaim, pin: string): Member {
  const { node, incarnation, name, peerAddress, apiAddress, grpcAddress } = claim;
  return { node: NodeId(node), incarnation, name, peerAddress, apiAddress, grpcAddress, pin };
}

function claimOf(fields: AdmitFields): JoinClaim {
  const { peer_address: peerAddress, api_address: apiAddress, grpc_address: grpcAddress, name } = fields;
  const hostAndPort = /^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):\d{1,5}$/;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) || name.length > nodeNameLengthMax)
    throw fieldError('name', `must be at most ${nodeNameLengthMax} letters, digits, dots, dashes and underscores`);
  if (!hostAndPort.test(peerAddress)) throw fieldError('peer_address', 'must be host:port');
  if (!hostAndPort.test(grpcAddress)) throw fieldError('grpc_address', 'must be host:port');
  if (!/^https?:\/\//.test(apiAddress) || !hostAndPort.test(apiAddress.replace(/^https?:\/\//, '')))
    throw fieldError('api_address', 'must be a URL such as https://host:8200');
  return {
    inviteId: fields.invite,
    csr: Buffer.from(fields.csr, 'base64'),
    node: fields.node,
    incarnation: fields.incarnation,
    name,
    peerAddress,
    apiAddress,
    grpcAddress,
  };
}
