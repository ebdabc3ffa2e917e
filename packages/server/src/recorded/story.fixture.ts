import type { Reply } from '@lockstep/contract/engine';
import { MountId } from '@lockstep/contract/ids';
import type { JsonObject } from '@lockstep/contract/json';
import { raiseFactVersion } from '@lockstep/engine-system/fact-version';
import { autopilotDefaults } from '@lockstep/engine-system/cluster-state';
import { type SystemFact, systemFacts } from '@lockstep/engine-system/facts';
import { mountAt } from '@lockstep/engine-system/mount-table';
import { encodeControlEntry } from '../control-entry.ts';
import { rememberedMs } from '../limits.ts';
import { systemMount } from '../mounts.ts';
import { sweep } from '../sweep.ts';
import { encodeTransaction, type FactRecord, type HostExpect } from '../transaction.ts';
import { saveToMemory } from '../saved/save-to-memory.fixture.ts';
import { type Asked, recordedDeadlineMs, type RecordedNode, until } from './recorded-node.fixture.ts';

/**
 * What happens in a recording: every kind of fact, entry and expectation that there is. Whoever adds one adds it here, and
 * records anew (npm run record); recordings of before stay.
 */
export class Story {
  readonly #node: RecordedNode;
  readonly #rootToken: string;
  #savedFile: Buffer | undefined;

  constructor(node: RecordedNode, rootToken: string) {
    this.#node = node;
    this.#rootToken = rootToken;
  }

  /** Up to the snapshot. */
  async begin(): Promise<void> {
    await this.#write('sys/mounts/secret', { type: 'kv', options: { version: '2' } });
    await this.#write('sys/mounts/secret/tune', { description: 'tuned', max_lease_ttl: '24h' });
    await this.#write('sys/mounts/old', { type: 'kv', options: { version: '2' } });
    await this.#write('old/data/a', { data: { of: 'a mount that is disabled' } });
    await this.#write('sys/mounts/pki', { type: 'pki', config: { max_lease_ttl: '87600h' } });
    await this.#recordFacts({ facts: [{ mount: systemMount, factVersion: 1, fact: raiseFactVersion(1) }] });
    await this.#newcomers();
    await this.#policies();
    await this.#secrets();
    await this.#authority();
  }

  /** From the snapshot on: restored once, with another key, and with what only time brings. */
  async goOn(): Promise<void> {
    await this.#restore();
    await this.#rotateKeyring();
    await this.#certificates();
    await this.#tokens();
    await this.#remembered();
    await this.#conflict();
    await this.#ask({ operation: 'delete', path: 'sys/mounts/old' });
    await this.#write('auth/token/create', { ttl: '5m', policies: ['reader'], display_name: 'over' });
    this.#node.clock.skip(rememberedMs + 60_000);
    await sweep(this.#node.host, performance.now() + recordedDeadlineMs);
    await sweep(this.#node.host, performance.now() + recordedDeadlineMs);
  }

  /** What later versions must answer as this one does. */
  async questions(): Promise<readonly Asked[]> {
    const { data: certificates } = await this.#ask({ operation: 'list', path: 'pki/certs' });
    const { data: accessors } = await this.#ask({ operation: 'list', path: 'auth/token/accessors' });
    const read = (path: string): Asked => ({ operation: 'read', path });
    return [
      read('secret/data/app/db'),
      { operation: 'read', path: 'secret/data/app/db', data: { version: 1 } },
      read('secret/metadata/app/db'),
      { operation: 'list', path: 'secret/metadata/app' },
      read('secret/config'),
      read('pki/roles/web'),
      { operation: 'list', path: 'pki/roles' },
      { operation: 'list', path: 'pki/issuers' },
      read('pki/issuer/default'),
      read('pki/config/urls'),
      read('pki/config/crl'),
      { operation: 'list', path: 'pki/certs/revoked' },
      ...keysOf(certificates).map((serial) => read(`pki/cert/${serial}`)),
      ...keysOf(accessors).map((accessor): Asked => {
        return { operation: 'write', path: 'auth/token/lookup-accessor', data: { accessor } };
      }),
      read('sys/policies/acl/reader'),
      read('sys/mounts/secret/tune'),
      read('sys/mounts/pki'),
      { operation: 'list', path: 'sys/cluster/invites' },
    ];
  }

  /** None comes: a recorded cluster has no doors to come to. */
  async #newcomers(): Promise<void> {
    const id = '00'.repeat(8);
    const made = { key: Buffer.alloc(32), note: 'for b', isVoter: true, createdMs: 0, expiresMs: 86_400_000 };
    const settings = { ...autopilotDefaults, cleansUpDeadServers: true, minQuorum: 3 };
    const facts: readonly SystemFact[] = [
      { type: 'clusterAuthorityMade', certificate: Buffer.from('certificate'), pkcs8: Buffer.from('key') },
      { type: 'inviteMade', id, ...made },
      { type: 'inviteMade', id: '01'.repeat(8), ...made },
      { type: 'inviteUsed', id, node: 2, pin: 'ab'.repeat(32) },
      { type: 'invitesForgotten', ids: ['01'.repeat(8)] },
      { type: 'memberIntended', node: 3, isVoter: false, isGone: false },
      { type: 'memberIntended', node: 4, isVoter: true, isGone: false },
      { type: 'memberIntended', node: 4, isVoter: false, isGone: true },
      { type: 'autopilotConfigured', ...settings },
    ];
    await this.#recordFacts({
      facts: facts.map((fact) => ({ mount: systemMount, factVersion: 1, fact: systemFacts.encode(fact) })),
    });
  }

  async #policies(): Promise<void> {
    const policy = 'path "secret/data/*" { capabilities = ["create", "update", "read"] }';
    await this.#write('sys/policies/acl/reader', { policy });
    await this.#write('sys/policies/acl/gone', { policy });
    await this.#ask({ operation: 'delete', path: 'sys/policies/acl/gone' });
  }

  async #secrets(): Promise<void> {
    await this.#write('secret/config', { max_versions: 5, delete_version_after: '720h' });
    for (const password of ['first', 'second', 'third'])
      await this.#write('secret/data/app/db', { data: { password, ключ: '☃' } });
    await this.#write('secret/metadata/app/db', { max_versions: 4, custom_metadata: { owner: 'team' } });
    await this.#write('secret/delete/app/db', { versions: [1, 2] });
    await this.#write('secret/undelete/app/db', { versions: [1] });
    await this.#write('secret/destroy/app/db', { versions: [2] });
    await this.#write('secret/data/app/gone', { data: { a: 1 } });
    await this.#ask({ operation: 'delete', path: 'secret/metadata/app/gone' });
  }

  async #authority(): Promise<void> {
    await this.#write('pki/root/generate/internal', {
      common_name: 'Recorded Root',
      key_type: 'ed25519',
      ttl: '87600h',
      issuer_name: 'first',
    });
    await this.#write('pki/root/generate/internal', {
      common_name: 'Second Root',
      key_type: 'ec',
      key_bits: 256,
      ttl: '87600h',
      issuer_name: 'second',
    });
    await this.#write('pki/config/issuers', { default: 'second' });
    await this.#ask({ operation: 'patch', path: 'pki/issuer/first', data: { issuer_name: 'renamed' } });
    await this.#write('pki/config/urls', { issuing_certificates: ['http://pki.example.com/ca'] });
    await this.#write('pki/config/crl', { expiry: '48h' });
    await this.#write('pki/roles/web', { allowed_domains: ['example.com'], allow_subdomains: true, max_ttl: '720h' });
    await this.#write('pki/roles/gone', { allow_any_name: true });
    await this.#ask({ operation: 'delete', path: 'pki/roles/gone' });
    await this.#write('pki/issue/web', { common_name: 'a.example.com', ttl: '24h' });
  }

  async #certificates(): Promise<void> {
    const issued = await this.#write('pki/issue/web', { common_name: 'b.example.com', ttl: '24h' });
    await this.#write('pki/revoke', { serial_number: issued.data?.['serial_number'] });
    await this.#ask({ operation: 'read', path: 'pki/crl/rotate' });
  }

  async #tokens(): Promise<void> {
    const parent = await this.#create({ policies: ['reader'], ttl: '2h', meta: { app: 'parent' } });
    await this.#write('auth/token/renew', { token: parent, increment: '3h' });
    await this.#write('auth/token/create', { policies: ['default'], no_parent: true, ttl: '3h', period: '3h' });
    const released = await this.#create({ policies: ['reader'], ttl: '2h' });
    await this.#write('auth/token/revoke-orphan', { token: released });
    await this.#write('auth/token/revoke', { token: await this.#create({ ttl: '1h' }) });
    const counted = await this.#create({ policies: ['reader'], num_uses: 5, ttl: '2h' });
    await this.#ask({ operation: 'write', path: 'secret/data/used', data: { data: { by: 'token' } }, token: counted });
  }

  async #remembered(): Promise<void> {
    const once = { operation: 'write', path: 'secret/data/once', data: { data: { n: 1 } } } as const;
    await this.#ask({ ...once, idempotencyKey: 'recorded-1' });
    await this.#ask({ ...once, idempotencyKey: 'recorded-1' });
    await this.#ask({
      operation: 'write',
      path: 'pki/issue/web',
      data: { common_name: 'c.example.com', ttl: '24h' },
      idempotencyKey: 'recorded-2',
    });
  }

  /** A transaction of which nothing happens. */
  async #conflict(): Promise<void> {
    const mount = this.#mountId('secret/data');
    const fact: FactRecord = { mount: systemMount, factVersion: 1, fact: raiseFactVersion(1) };
    await this.#recordFacts({ facts: [fact], expects: [{ kind: 'absent', mount, key: 'config' }] });
    await this.#recordFacts({ facts: [fact], expects: [{ kind: 'unchanged', mount, key: 'config', version: 1 }] });
  }

  /** What the node restored its state from: a file that a replay must have at hand. */
  get savedFile(): Buffer | undefined {
    return this.#savedFile;
  }

  async #restore(): Promise<void> {
    const { consensus, folder, machine, restores, state } = this.#node;
    this.#savedFile = await saveToMemory(this.#node);
    const { id: savedId } = await folder.write(once(this.#savedFile), () => undefined);
    await this.#write('secret/data/undone', { data: { by: 'the restore' } });
    const restore = { savedId, timeMs: machine.lastTimeMs(), versionOffset: 0 };
    const data = encodeControlEntry({ seal: undefined, founding: new Uint8Array(0), restore });
    consensus.proposeControl(data, () => undefined);
    await until('the state is restored', () => state.restored !== undefined && restores.pending === undefined);
  }

  async #rotateKeyring(): Promise<void> {
    const { consensus, keeper, clock } = this.#node;
    const seal = keeper.barrier.rotated({ nowMs: clock.wallMs() });
    consensus.proposeControl(
      encodeControlEntry({ seal, founding: new Uint8Array(0), restore: undefined }),
      () => undefined,
    );
    const keyVersion = (): number => {
      const { state } = keeper.barrier;
      return state.state === 'unsealed' ? state.keyring.activeVersion : 0;
    };
    await until('the keyring is rotated', () => keyVersion() === 2);
  }

  async #recordFacts(of: {
    readonly facts: readonly FactRecord[];
    readonly expects?: readonly HostExpect[];
  }): Promise<void> {
    const transaction = encodeTransaction({
      facts: of.facts,
      expects: of.expects ?? [],
      remembered: undefined,
      restoredIndex: this.#node.host.restoredIndex,
    });
    await this.#node.host.record(transaction, performance.now() + recordedDeadlineMs, { isRelief: false });
  }

  #mountId(path: string): MountId {
    const found = mountAt(this.#node.host.state(systemMount), path);
    if (found === undefined) throw new Error(`nothing is mounted at ${path}`);
    return found.view.id;
  }

  async #create(data: { readonly [name: string]: unknown }): Promise<string> {
    const { auth } = await this.#write('auth/token/create', data);
    if (auth === undefined) throw new Error('no token was issued');
    return auth.clientToken;
  }

  #write(path: string, data: { readonly [name: string]: unknown }): Promise<Reply> {
    return this.#ask({ operation: 'write', path, data });
  }

  #ask(asked: Asked): Promise<Reply> {
    return this.#node.ask({ token: this.#rootToken, ...asked });
  }
}

async function* once(file: Uint8Array): AsyncGenerator<Uint8Array> {
  yield file;
}

function keysOf(data: JsonObject | undefined): readonly string[] {
  const keys = data?.['keys'];
  return Array.isArray(keys) ? keys.map(String) : [];
}
