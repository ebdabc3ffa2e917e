import { createHmac, createSecretKey } from 'node:crypto';
import { rootNamespace } from '@lockstep/contract/ids';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auditedData } from './audited-data.ts';
import { type AuditedCaller, type AuditedRequest, requestPart, responsePart } from './entry.ts';
import { Fingerprints } from './fingerprint.ts';
import { dataDepthMax, fingerprintsKept, rememberedValueCharsMax, valuesPerLineMax } from './limits.ts';

const key = createSecretKey(Buffer.alloc(32, 7));
const fingerprints = new Fingerprints(key);
const hmac = (value: string): string => `hmac-sha256:${createHmac('sha256', key).update(value).digest('hex')}`;
const caller: AuditedCaller = { accessor: 'acc-1', displayName: 'token-root', policies: ['root'] };
const request: AuditedRequest = {
  id: 'id-1',
  operation: 'write',
  path: 'secret/data/a',
  data: { password: 'hunter2', count: 3, nested: { list: ['hunter2', true, null] }, absent: undefined },
  remoteAddress: '127.0.0.1',
  door: 'http',
  token: Buffer.from('hvs.token'),
  mount: { type: 'kv', point: 'secret/' },
};

describe('an entry', () => {
  it('shows who asked what in Vault’s shape, and every string of the data as a fingerprint', () => {
    expect(JSON.parse(`{${requestPart(fingerprints, request, caller)}}`)).toEqual({
      auth: {
        client_token: hmac('hvs.token'),
        accessor: hmac('acc-1'),
        display_name: 'token-root',
        policies: ['root'],
        token_policies: ['root'],
      },
      request: {
        id: 'id-1',
        operation: 'update',
        mount_point: 'secret/',
        mount_type: 'kv',
        client_token: hmac('hvs.token'),
        client_token_accessor: hmac('acc-1'),
        namespace: { id: rootNamespace },
        path: 'secret/data/a',
        remote_address: '127.0.0.1',
        door: 'http',
        data: { password: hmac('hunter2'), count: 3, nested: { list: [hmac('hunter2'), true, null] } },
      },
    });
  });

  it('of a request without token, mount or data leaves those out', () => {
    const bare: AuditedRequest = { ...request, operation: 'list', token: undefined, mount: undefined, data: undefined };
    const { auth, request: asked } = JSON.parse(`{${requestPart(fingerprints, bare, undefined)}}`);
    expect([auth, Object.keys(asked), asked.operation]).toEqual([
      {},
      ['id', 'operation', 'namespace', 'path', 'remote_address', 'door'],
      'list',
    ]);
  });

  it('shows an answer’s data and new token as fingerprints, and a refusal as its error', () => {
    const auth = {
      clientToken: 'hvs.new',
      accessor: 'acc-2',
      policies: ['default'],
      metadata: { user: 'alice' },
      leaseDurationSeconds: 60,
      isRenewable: true,
      isOrphan: false,
      tokenType: 'service' as const,
      numUses: 2,
    };
    const text = responsePart(fingerprints, { kind: 'answered', data: { private_key: 'KEY', serial: 5 }, auth });
    expect(JSON.parse(`{${text}}`)).toEqual({
      response: {
        auth: {
          client_token: hmac('hvs.new'),
          accessor: hmac('acc-2'),
          policies: ['default'],
          token_policies: ['default'],
          metadata: { user: hmac('alice') },
          num_uses: 2,
          token_type: 'service',
          token_ttl: 60,
        },
        data: { private_key: hmac('KEY'), serial: 5 },
      },
    });
    expect(responsePart(fingerprints, { kind: 'answered', data: undefined, auth: undefined })).toBe('"response":{}');
    expect(responsePart(fingerprints, { kind: 'refused', error: 'denied: "x"' })).toBe('"error":"denied: \\"x\\""');
  });
});

describe('audited data', () => {
  it('is always JSON, of the same shape, and without any string of the original', () => {
    const shape = (value: unknown): unknown => {
      if (typeof value === 'string') return 's';
      if (Array.isArray(value)) return value.map(shape);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shape(member)]));
    };
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        expect(shape(JSON.parse(auditedData(fingerprints, value as never)))).toEqual(
          shape(JSON.parse(JSON.stringify(value))),
        );
      }),
    );
  });

  it('never shows bytes, big integers or text in any encoding', () => {
    const data = { bytes: Buffer.from('CANARY'), big: 123456789012345678901234567890n, text: 'CANARY' };
    const json = auditedData(fingerprints, data as never);
    for (const shown of ['CANARY', '123456789012345678901234567890', Buffer.from('CANARY').toString('base64'), '67,65'])
      expect(json).not.toContain(shown);
    expect(JSON.parse(json)).toMatchObject({ bytes: hmac('CANARY'), text: hmac('CANARY') });
    expect(() => auditedData(fingerprints, { f: () => 'CANARY' } as never)).toThrow(/holds a function/);
  });

  it('may be nested dataDepthMax deep and no deeper; data that contains itself is refused', () => {
    const nested = (depth: number): never => (depth === 0 ? 'x' : [nested(depth - 1)]) as never;
    expect(auditedData(fingerprints, nested(dataDepthMax))).toContain(hmac('x'));
    const tooLarge = expect.objectContaining({ code: 'too-large' });
    expect(() => auditedData(fingerprints, nested(dataDepthMax + 1))).toThrow(tooLarge);
    const own: { self?: unknown } = {};
    own.self = own;
    expect(() => auditedData(fingerprints, own as never)).toThrow(tooLarge);
    const wide: { list: unknown[] } = { list: Array.from({ length: valuesPerLineMax }, () => 'a') };
    wide.list.push(wide);
    expect(() => auditedData(fingerprints, wide as never)).toThrow(tooLarge);
  });

  it('after valuesPerLineMax values is one fingerprint of what is left', () => {
    const values = Array.from({ length: valuesPerLineMax }, (_, i) => `v${i}`);
    expect(JSON.parse(auditedData(fingerprints, values)).length).toBe(valuesPerLineMax);
    const more = JSON.parse(auditedData(fingerprints, { values: [...values, 'CANARY', 'b'], rest: { c: 'CANARY' } }));
    expect(more.values.length).toBe(valuesPerLineMax + 1);
    expect(more.values.at(-1)).toBe(hmac('["CANARY","b"]'));
    expect(more.rest).toBe(hmac('{"c":"CANARY"}'));
  });
});

describe('fingerprints', () => {
  it('are the same remembered or not, and differ under another key', () => {
    const own = new Fingerprints(key);
    for (let round = 0; round < 4; round++) expect(own.ofText('issuer')).toBe(hmac('issuer'));
    expect(own.ofBytes(Buffer.from('issuer'))).toBe(hmac('issuer'));
    expect(new Fingerprints(createSecretKey(Buffer.alloc(32, 8))).ofText('issuer')).not.toBe(hmac('issuer'));
  });

  it('stay right when more values repeat than are remembered, and for values too long to be', () => {
    const own = new Fingerprints(key);
    const values = Array.from({ length: fingerprintsKept * 2 }, (_, i) => `value ${i}`);
    const long = 'x'.repeat(rememberedValueCharsMax + 1);
    for (let round = 0; round < 3; round++)
      for (const value of [...values, long]) expect(own.ofText(value)).toBe(hmac(value));
  });
});
