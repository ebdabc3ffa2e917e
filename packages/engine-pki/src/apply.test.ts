import { randomBytes } from 'node:crypto';
import type { Operation } from '@lockstep/contract/engine';
import { LogIndex, TimeMs } from '@lockstep/contract/ids';
import { MemoryState } from '@lockstep/contract/memory-state';
import { tryEngine } from '@lockstep/contract/try-engine';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyPki } from './apply.ts';
import { pki } from './engine.ts';
import { type PkiFact, pkiFacts } from './facts.ts';
import { type Revocation, revocationOf, revokedKey } from './keys.ts';
import { type Issuer, role } from './records.ts';
import type { Raw } from './trial-pki.fixture.ts';

const id = fc.constantFrom('a', 'b', 'c');
const bytes = fc.uint8Array({ maxLength: 8 });
const seconds = fc.nat(2 ** 31);
const issuer: fc.Arbitrary<Issuer> = fc.record({
  name: fc.constantFrom('', 'x', 'y'),
  keyId: id,
  certificate: bytes,
  chain: fc.array(bytes, { maxLength: 2 }),
  leafNotAfterBehavior: fc.constantFrom('err', 'truncate'),
  urls: fc.constant(undefined),
  mayIssue: fc.boolean(),
});
const urls = fc.record({
  issuingCertificates: fc.array(fc.string()),
  crlDistributionPoints: fc.array(fc.string()),
  ocspServers: fc.array(fc.string()),
});
const fact: fc.Arbitrary<PkiFact> = fc.oneof(
  fc.record({
    type: fc.constant('roleWritten' as const),
    name: id,
    role: seconds.map((ttl) => ({ ...role.initial, ttl })),
  }),
  fc.record({ type: fc.constant('roleDeleted' as const), name: id }),
  fc.record({
    type: fc.constant('rootGenerated' as const),
    issuerId: id,
    issuer,
    serial: id,
    notAfterSeconds: seconds,
    key: fc.record({ name: fc.string(), type: fc.constant('ec'), bits: fc.nat(), pkcs8: bytes }),
  }),
  fc.record({
    type: fc.constant('certificateIssued' as const),
    serial: id,
    issuerId: id,
    notAfterSeconds: seconds,
    certificate: bytes,
  }),
  fc.record({
    type: fc.constant('certificateRevoked' as const),
    serial: id,
    issuerId: id,
    notAfterSeconds: seconds,
    certificate: fc.option(bytes, { nil: undefined }),
  }),
  fc.record({ type: fc.constant('defaultIssuerChosen' as const), issuerId: id }),
  fc.record({ type: fc.constant('issuerUpdated' as const), issuerId: id, issuer }),
  fc.record({ type: fc.constant('urlsConfigured' as const), urls }),
  fc.record({ type: fc.constant('crlConfigured' as const), expirySeconds: seconds }),
  fc.record({ type: fc.constant('crlRotated' as const) }),
);

function folded(facts: readonly PkiFact[]): readonly unknown[] {
  const state = new MemoryState();
  const results = facts.map((happened, at) =>
    state.transact(at + 1, (writable) =>
      pki.apply(writable, pkiFacts.encode(happened), {
        index: LogIndex(at + 1),
        timeMs: TimeMs(1_000_000 + at * 777),
        factVersion: 1,
      }),
    ),
  );
  return [state.entries().map(([key, value]) => [key, Buffer.from(value).toString('hex')]), results];
}

describe('apply', () => {
  test('of the same facts makes the same state, with the same results', () => {
    fc.assert(
      fc.property(fc.array(fact, { maxLength: 30 }), (facts) => {
        expect(folded(facts)).toEqual(folded(facts));
      }),
    );
  });

  test('refuses bytes that are no fact', () => {
    const state = new MemoryState();
    const at = { index: LogIndex(1), timeMs: TimeMs(1), factVersion: 1 };
    for (const broken of [Buffer.alloc(0), Buffer.from([0x7a, 0]), Buffer.from([0x0a, 5, 1])])
      expect(() => state.transact(1, (writable) => pki.apply(writable, broken, at))).toThrow();
    expect(() =>
      state.transact(1, (writable) => applyPki(writable, { type: 'roleWritten', name: 'x', role: undefined }, at)),
    ).toThrow('invariant broken');
    expect(state.size).toBe(0);
  });

  test('numbers an issuer’s revocations without gaps, and each certificate once', () => {
    const state = new MemoryState();
    const revoke = (serial: string, index: number): void =>
      void state.transact(index, (writable) =>
        applyPki(
          writable,
          { type: 'certificateRevoked', serial, issuerId: 'i', notAfterSeconds: 9, certificate: new Uint8Array(1) },
          { index: LogIndex(index), timeMs: TimeMs(5000), factVersion: 1 },
        ),
      );
    ['aa', 'bb', 'aa', 'cc'].forEach((serial, at) => revoke(serial, at + 1));
    const keys = state
      .entries()
      .map(([key]) => key)
      .filter((key) => key.startsWith('revoked/'));
    expect(keys.map(revocationOf).map(({ ordinal, serial }) => `${ordinal} ${serial}`)).toEqual([
      '1 aa',
      '2 bb',
      '3 cc',
    ]);
  });

  test('of the facts that a mount recorded, decoded and encoded again, makes that mount’s state', async () => {
    const engine = tryEngine(pki, { random: randomBytes });
    const recorded: PkiFact[] = [];
    const request = async (operation: Operation, path: string, raw: Raw): Promise<Raw> => {
      const decision = await engine.decide(operation, path, raw);
      recorded.push(...(decision.facts ?? []).map((encoded) => pkiFacts.decode(encoded)));
      const outcome = engine.record(decision);
      if (outcome.kind === 'conflict') throw new Error('conflict');
      return outcome.reply.data ?? {};
    };
    await request('write', 'root/generate/internal', { common_name: 'Root', issuer_name: 'root' });
    await request('write', 'roles/web', { allowed_domains: 'example.com', allow_subdomains: true });
    const made = await request('write', 'issue/web', { common_name: 'a.example.com' });
    await request('write', 'revoke', { serial_number: made['serial_number'] });
    await request('write', 'config/urls', { ocsp_servers: 'http://a/' });
    await request('write', 'config/crl', { expiry: '1h' });
    await request('write', 'issuer/root', { issuer_name: 'renamed' });
    await request('delete', 'roles/web', {});
    expect(recorded).toHaveLength(8);
    const again = new MemoryState();
    recorded.forEach((happened, at) => {
      const where = { index: LogIndex(at + 1), timeMs: TimeMs(engine.nowMs()), factVersion: 1 };
      again.transact(at + 1, (writable) => pki.apply(writable, pkiFacts.encode(happened), where));
    });
    const plain = (state: MemoryState): unknown =>
      state.entries().map(([key, value]) => [key, Buffer.from(value).toString('hex')]);
    expect(plain(again)).toEqual(plain(engine.state));
  });
});

describe('keys', () => {
  test('of revocations sort by their number, and are read back', () => {
    const revocation = fc.record({ ordinal: fc.nat(), revokedAtSeconds: seconds, notAfterSeconds: seconds });
    fc.assert(
      fc.property(revocation, revocation, (a, b) => {
        const [one, two]: readonly Revocation[] = [a, b].map((some) => ({ ...some, issuerId: 'i', serial: 'aa' }));
        if (one === undefined || two === undefined) return;
        expect(revocationOf(revokedKey(one))).toEqual(one);
        if (one.ordinal < two.ordinal) expect(revokedKey(one) < revokedKey(two)).toBe(true);
      }),
    );
  });
});
