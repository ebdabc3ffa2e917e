import type { Client, JsonObject, Operation } from '@lockstep/client/client';

/** Where the secret lies that granted tokens may read. */
export const probePath = 'secret/data/probe';

/** Ways to take away what a token may do. */
export const changes = [
  'token revoked',
  'accessor revoked',
  'parent revoked',
  'policy tightened',
  'policy deleted',
] as const;
export type Change = (typeof changes)[number];

/** A token that may read the probe, and how to take that away. */
export interface Grant {
  readonly token: string;
  /** Resolves once the change is acknowledged; rejects where that is not certain. Through `client`, as root. */
  readonly take: (client: Client) => Promise<void>;
}

/** Longer than two elections: the change may have to wait for a leader. */
const changeWithinMs = 30_000;

/** Makes a token with a policy of its own. */
export async function makeGrant(client: Client, change: Change, name: string): Promise<Grant> {
  const policyPath = `sys/policies/acl/${name}`;
  await must(client, 'write', policyPath, { policy: `path "${probePath}" { capabilities = ["read"] }\n${mayCreate}` });
  const parent = await makeToken(client, { policies: [name] });
  const { token, accessor } =
    change === 'parent revoked' ? await makeToken(client, { policies: [name] }, parent.token) : parent;
  switch (change) {
    case 'token revoked':
      return { token, take: (by) => must(by, 'write', 'auth/token/revoke', { token }) };
    case 'accessor revoked':
      return { token, take: (by) => must(by, 'write', 'auth/token/revoke-accessor', { accessor }) };
    case 'parent revoked':
      return { token, take: (by) => must(by, 'write', 'auth/token/revoke', { token: parent.token }) };
    case 'policy tightened':
      return { token, take: (by) => must(by, 'write', policyPath, { policy: mayCreate }) };
    case 'policy deleted':
      return { token, take: (by) => must(by, 'delete', policyPath) };
    default:
      return change satisfies never;
  }
}

/** What a question with a token came to. */
export type Answer = 'served' | 'denied' | 'unserved';

/** Asks for the probe with a token. */
export async function askWith(client: Client, token: string, deadlineMs: number): Promise<Answer> {
  const outcome = await client.request('read', probePath, undefined, { token, deadlineMs });
  if (outcome.kind === 'applied') return 'served';
  // Anything else tells nothing about the token: no leader, a broken connection, a deadline.
  return outcome.kind === 'refused' && outcome.code === 'denied' ? 'denied' : 'unserved';
}

const mayCreate = 'path "auth/token/create" { capabilities = ["update"] }';

async function makeToken(
  client: Client,
  fields: JsonObject,
  creator?: string,
): Promise<{ readonly token: string; readonly accessor: string }> {
  const options = { deadlineMs: changeWithinMs, ...(creator === undefined ? {} : { token: creator }) };
  const outcome = await client.request('write', 'auth/token/create', { ...fields, ttl: '1h' }, options);
  if (outcome.kind !== 'applied') throw new Error(`auth/token/create: ${outcome.kind}: ${outcome.message}`);
  const { client_token: token, accessor } = outcome.auth ?? {};
  if (typeof token !== 'string' || typeof accessor !== 'string') throw new Error('auth/token/create answers no token');
  return { token, accessor };
}

async function must(client: Client, operation: Operation, path: string, data?: JsonObject): Promise<void> {
  const outcome = await client.request(operation, path, data, { deadlineMs: changeWithinMs });
  if (outcome.kind !== 'applied') throw new Error(`${path}: ${outcome.kind}: ${outcome.message}`);
}
