import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeJoinToken, encodeJoinToken } from './join-token.ts';
import { invitesMax } from './limits.ts';
import { type KeptNode, KeptNodes } from './kept-nodes.fixture.ts';

// Who is let in, who is not, and what is told before anything is done. Each node is a process of its own.
const cluster = new KeptNodes();
const withinMs = 180_000;
let first: KeptNode;
let second: KeptNode;

beforeAll(async () => {
  first = await cluster.found('node-1');
  // Only the tests promote.
  await first.data('POST', 'sys/storage/raft/autopilot/configuration', { server_stabilization_time: '24h' });
  second = await cluster.make('node-2');
}, withinMs);
afterAll(() => cluster.close(), withinMs);

async function invited(fields: { readonly [name: string]: unknown } = {}): Promise<{
  readonly id: string;
  readonly token: string;
  readonly expiresMs: number;
}> {
  const { id, token, expires_at } = await first.data('POST', 'sys/cluster/invite', fields);
  return { id: String(id), token: String(token), expiresMs: Date.parse(String(expires_at)) };
}

/** What a node without a token answers to one over gRPC, or why it does not take it. */
async function handed(node: KeptNode, token: string, isDryRun = false): Promise<unknown> {
  return await node.grpc('Join', { token, dry_run: isDryRun }, 'anybody').catch((error: unknown) => String(error));
}

describe('a node is not let in', { timeout: withinMs }, () => {
  let stranger: KeptNode;
  beforeAll(async () => {
    stranger = await cluster.make('stranger');
    stranger.process.start();
    await stranger.until('it waits', async () => String(await handed(stranger, 'none')).includes('join token'));
  }, withinMs);

  test('with a token that is none, was cut, or has another secret or authority', async () => {
    const { token } = await invited();
    expect(await handed(stranger, 'hvs.something')).toContain('join token must begin with lockstep-join-1.');
    expect(await handed(stranger, token.slice(0, -9))).toContain('join token can not be read');
    const read = decodeJoinToken(token);
    const other = decodeJoinToken((await invited()).token);
    expect(await handed(stranger, encodeJoinToken({ ...read, secret: other.secret }))).toContain(
      'the invitation is not known, or the proof does not belong to it',
    );
    expect(await handed(stranger, encodeJoinToken({ ...read, clusterId: '0'.repeat(32) }))).toContain(
      'the proof does not',
    );
    expect(await handed(stranger, encodeJoinToken({ ...read, pin: '0'.repeat(64) }))).toContain(
      'its certificate is of another authority than the token names',
    );
    expect(await first.membersSeen()).toEqual(['node-1 voter']);
  });

  test('once the invitation was revoked, or is over', async () => {
    const revoked = await invited();
    expect(await first.grpc('RevokeInvite', { id: revoked.id })).toEqual({});
    expect(await handed(stranger, revoked.token)).toContain('the invitation is not known');
    const short = await invited({ ttl: '1s' });
    await first.until('it is over', () => Promise.resolve(Date.now() > short.expiresMs + 50));
    expect(await handed(stranger, short.token)).toContain('the invitation ended at');
    expect(await first.membersSeen()).toEqual(['node-1 voter']);
  });

  test('with a token that another node has used; that one may repeat it until it is in', async () => {
    const { token, id } = await invited({ note: 'for node-2' });
    expect(await handed(stranger, token, true)).toMatchObject({ dry_run: true, allowed: true });
    second.startWith(token);
    await second.untilServing();
    expect(await handed(stranger, token)).toContain('the invitation was used by another node: each is for one');
    const { key_info_json: info } = await first.grpc('ListInvites', {});
    expect(JSON.parse(String(info))[id]).toMatchObject({ note: 'for node-2', used_by: expect.stringMatching(/^\d+$/) });
    expect(await first.membersSeen()).toEqual(['node-1 voter', 'node-2 learner']);
  });

  test('where it is a member already', async () => {
    const { token } = await invited();
    await expect(second.grpc('Join', { token })).rejects.toThrow('this node is a member of its cluster already');
  });
});

test.each([
  [{ ttl: '0s' }, 'ttl must be from 1 to 604800 seconds'],
  [{ ttl: '604801s' }, 'ttl must be from 1 to 604800 seconds'],
  [{ note: 'x'.repeat(257) }, 'note'],
])('an invitation is refused by what it says (%#)', async (fields, why) => {
  const { status, text } = await first.call('POST', 'sys/cluster/invite', fields);
  expect([status, text]).toEqual([400, expect.stringContaining(why)]);
});

test('a join token is nowhere but in its reply: neither in the audit trail, nor in a log, nor told again', async () => {
  const { token, id } = await invited({ ttl: '604800s', note: 'x'.repeat(256) });
  const { secret } = decodeJoinToken(token);
  const audited = readFileSync(join(first.folder, 'audit.log'), 'utf8');
  expect(audited).toContain('sys/cluster/invite');
  expect(audited).toContain('sys/cluster/admit');
  const told = (await first.call('LIST', 'sys/cluster/invites')).text;
  expect(told).toContain(id);
  for (const text of [audited, first.logged, second.logged, told]) {
    expect(text).not.toContain(token);
    for (const encoding of ['hex', 'base64', 'base64url'] as const)
      expect(text).not.toContain(secret.reveal().toString(encoding));
  }
});

test('as many invitations may be open as there are allowed, and no more', { timeout: withinMs }, async () => {
  const listed = async (): Promise<readonly unknown[]> => {
    const { keys } = await first.data('LIST', 'sys/cluster/invites');
    return Array.isArray(keys) ? keys : [];
  };
  const refusals: string[] = [];
  for (let made = 0; made <= invitesMax && refusals.length === 0; made++) {
    const { status, text } = await first.call('POST', 'sys/cluster/invite', {});
    if (status !== 200) refusals.push(text);
  }
  expect(refusals).toEqual([expect.stringContaining(`there are ${invitesMax} invitations that nobody has used`)]);
  for (const id of await listed()) await first.data('DELETE', `sys/cluster/invites/${String(id)}`);
  expect((await first.call('POST', 'sys/cluster/invite', {})).status).toBe(200);
});

describe('what would be done is told before', { timeout: withinMs }, () => {
  test('over both doors alike, and nothing is done', async () => {
    const before = await first.membersSeen();
    const asked: readonly (readonly [string, string, { readonly node?: string }])[] = [
      ['Promote', 'promote', { node: 'node-2' }],
      ['Remove', 'remove', { node: 'node-2' }],
      ['Demote', 'demote', { node: 'node-1' }],
      ['Leave', 'leave', {}],
      ['Invite', 'invite', {}],
    ];
    for (const [method, path, fields] of asked) {
      const grpc = await first.grpc(method, { ...fields, dry_run: true });
      const http = await first.data('POST', `sys/cluster/${path}`, { ...fields, dry_run: true });
      expect(http).toMatchObject({ dry_run: true, allowed: grpc['allowed'] });
      expect(grpc['after']).toMatchObject({ quorum: Object(http['after']).quorum });
    }
    expect(await first.grpc('Transfer', { dry_run: true })).toMatchObject({ allowed: false });
    expect(await first.grpc('Leave', { dry_run: true })).toMatchObject({
      allowed: false,
      refusals: [expect.objectContaining({ reason: 'last-voter' })],
    });
    expect(await first.membersSeen()).toEqual(before);
  });

  test('and what would lose the quorum is refused', async () => {
    const last = await first.call('POST', 'sys/cluster/leave', {});
    expect([last.status, last.text]).toEqual([400, expect.stringContaining('"reason":"last-voter"')]);
    const third = await cluster.make('node-3');
    await third.joinBy(first);
    for (const node of [second, third]) await node.untilVoter(first);
    await third.process.kill();
    await first.until('it is missed', async () => {
      const { quorum } = await first.data('GET', 'sys/cluster/members');
      return Object(quorum).failures_left === 0;
    });
    for (const verb of ['Remove', 'Demote'])
      await expect(first.grpc(verb, { node: 'node-2' })).rejects.toThrow(
        'of 2 voters 1 would be there, and the quorum is 2',
      );
    expect(await first.membersSeen()).toEqual(['node-1 voter', 'node-2 voter', 'node-3 voter']);
    expect(await first.grpc('Remove', { node: 'node-3' })).toMatchObject({ allowed: true });
    expect(await first.membersSeen()).toEqual(['node-1 voter', 'node-2 voter']);
  });
});

test(
  'a demoted voter is known to be meant as a learner, and a promoted one to vote',
  async () => {
    const meant = async (): Promise<unknown> => {
      const members: unknown = (await first.data('GET', 'sys/cluster/members'))['members'];
      return Array.isArray(members) ? members.find(({ name }) => name === 'node-2')?.is_meant_to_vote : undefined;
    };
    await second.untilVoter(first);
    expect(await meant()).toBe(true);
    await first.data('POST', 'sys/cluster/demote', { node: 'node-2' });
    expect(await meant()).toBe(false);
    await first.data('POST', 'sys/cluster/promote', { node: 'node-2' });
    expect(await meant()).toBe(true);
  },
  withinMs,
);

describe('a node whose disk was wiped', { timeout: withinMs }, () => {
  test('does not start where its key is left and its log is not', async () => {
    const lost = await cluster.make('node-4');
    await lost.joinBy(first);
    await lost.process.stop();
    for (const name of ['log', 'state', 'NODE']) rmSync(join(lost.folder, 'data', name), { recursive: true });
    lost.process.start();
    expect(await lost.untilEnded()).toBe(65);
    expect(lost.logged).toContain('is not whole: its log is gone');
    expect(existsSync(join(lost.folder, 'data', 'log', 'CURRENT'))).toBe(false);
  });

  test('is in no cluster where all is gone, can not use its token again, and joins anew under another id', async () => {
    const lost = await cluster.make('node-5');
    await lost.joinBy(first);
    const idOf = (): unknown =>
      JSON.parse(readFileSync(join(lost.folder, 'data', 'identity', 'node.json'), 'utf8')).node;
    const before = idOf();
    await lost.process.stop();
    rmSync(join(lost.folder, 'data'), { recursive: true });
    lost.process.start();
    expect(await lost.untilEnded()).toBe(1);
    expect(lost.logged).toContain('the invitation was used by another node');
    await lost.joinBy(first);
    expect(idOf()).not.toBe(before);
    const twice = await first.call('POST', 'sys/cluster/remove', { node: 'node-5' });
    expect([twice.status, twice.text]).toEqual([400, expect.stringContaining('is the name of 2 members: give the id')]);
    await first.data('POST', 'sys/cluster/remove', { node: String(before) });
    expect((await first.membersSeen()).filter((member) => member.startsWith('node-5'))).toEqual(['node-5 learner']);
  });
});
