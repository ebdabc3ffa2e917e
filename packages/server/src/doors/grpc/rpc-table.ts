import type { Operation } from '@lockstep/contract/engine';

/**
 * How a typed RPC reaches a route. `path` is filled from the message: `{role}` from its field `role`, which must be one segment;
 * `{path*}` may have several; `{mount=pki}` may too, and is `pki` when not sent. A field that is optional in the path is `{path?}`.
 * All other fields are the route's fields, by the same names.
 */
export interface Rpc {
  readonly operation: Operation;
  readonly path: string;
  /** The response's field that takes the whole of the reply's data, where its members are not fields of the response. */
  readonly dataField?: string;
}

const kv = (operation: Operation, path: string): Rpc => ({ operation, path: `{mount=secret}/${path}` });
const pki = (operation: Operation, path: string): Rpc => ({ operation, path: `{mount=pki}/${path}` });

/** START HERE for the gRPC door: every typed RPC there is. `SysService.Call` and health are not routes, and are beside it. */
export const rpcTable: { readonly [service: string]: { readonly [method: string]: Rpc } } = {
  'lockstep.sys.v1.SysService': {
    Health: { operation: 'read', path: 'sys/health' },
    SealStatus: { operation: 'read', path: 'sys/seal-status' },
    Leader: { operation: 'read', path: 'sys/leader' },
    InitStatus: { operation: 'read', path: 'sys/init' },
    Init: { operation: 'write', path: 'sys/init' },
    Unseal: { operation: 'write', path: 'sys/unseal' },
    Seal: { operation: 'write', path: 'sys/seal' },
  },
  'lockstep.sys.v1.ClusterService': {
    Members: { operation: 'read', path: 'sys/cluster/members' },
    Promote: { operation: 'write', path: 'sys/cluster/promote' },
    Demote: { operation: 'write', path: 'sys/cluster/demote' },
    Remove: { operation: 'write', path: 'sys/cluster/remove' },
    Transfer: { operation: 'write', path: 'sys/cluster/transfer' },
    Leave: { operation: 'write', path: 'sys/cluster/leave' },
    Invite: { operation: 'write', path: 'sys/cluster/invite' },
    ListInvites: { operation: 'list', path: 'sys/cluster/invites' },
    RevokeInvite: { operation: 'delete', path: 'sys/cluster/invites/{id}' },
    Join: { operation: 'write', path: 'sys/cluster/join' },
    AutopilotState: { operation: 'read', path: 'sys/storage/raft/autopilot/state' },
    AutopilotConfiguration: { operation: 'read', path: 'sys/storage/raft/autopilot/configuration' },
    ConfigureAutopilot: { operation: 'write', path: 'sys/storage/raft/autopilot/configuration' },
  },
  'lockstep.kv.v1.KvService': {
    Put: kv('write', 'data/{path*}'),
    Patch: kv('patch', 'data/{path*}'),
    Get: kv('read', 'data/{path*}'),
    List: kv('list', 'metadata/{path?}'),
    Delete: kv('delete', 'data/{path*}'),
    DeleteVersions: kv('write', 'delete/{path*}'),
    Undelete: kv('write', 'undelete/{path*}'),
    Destroy: kv('write', 'destroy/{path*}'),
    GetMetadata: kv('read', 'metadata/{path*}'),
    PutMetadata: kv('write', 'metadata/{path*}'),
    DeleteMetadata: kv('delete', 'metadata/{path*}'),
  },
  'lockstep.pki.v1.PkiService': {
    IssueCertificate: pki('write', 'issue/{role}'),
    SignCertificate: pki('write', 'sign/{role}'),
    GetCertificate: pki('read', 'cert/{serial}'),
    ListCertificates: pki('list', 'certs'),
    RevokeCertificate: pki('write', 'revoke'),
    GetCrl: pki('read', 'crl/pem'),
    GetCa: pki('read', 'ca/pem'),
    GenerateRoot: pki('write', 'root/generate/internal'),
    PutRole: pki('write', 'roles/{name}'),
    GetRole: pki('read', 'roles/{name}'),
    ListRoles: pki('list', 'roles'),
    DeleteRole: pki('delete', 'roles/{name}'),
  },
  'lockstep.auth.v1.TokenService': {
    Create: { operation: 'write', path: 'auth/token/create' },
    CreateOrphan: { operation: 'write', path: 'auth/token/create-orphan' },
    LookupSelf: { operation: 'read', path: 'auth/token/lookup-self', dataField: 'token' },
    Lookup: { operation: 'write', path: 'auth/token/lookup', dataField: 'token' },
    LookupAccessor: { operation: 'write', path: 'auth/token/lookup-accessor', dataField: 'token' },
    RenewSelf: { operation: 'write', path: 'auth/token/renew-self' },
    Renew: { operation: 'write', path: 'auth/token/renew' },
    RevokeSelf: { operation: 'write', path: 'auth/token/revoke-self' },
    Revoke: { operation: 'write', path: 'auth/token/revoke' },
    RevokeAccessor: { operation: 'write', path: 'auth/token/revoke-accessor' },
  },
};
