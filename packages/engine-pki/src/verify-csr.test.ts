import './reflect.fixture.ts';
import { generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto';
import { LockstepError } from '@lockstep/contract/errors';
import * as x509 from '@peculiar/x509';
import fc from 'fast-check';
import forge from 'node-forge';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  bitString,
  derNull,
  encode,
  integer,
  integerOfBytes,
  octetString,
  oid,
  oidOf,
  sequence,
  utf8String,
  wrap,
} from './der.ts';
import { csrBytesMax, namesMax, subjectAttributesMax } from './limits.ts';
import * as oids from './oids.ts';
import { pem } from './pem.ts';
import {
  attribute,
  csrDer,
  csrPem,
  extensionRequest,
  hasOpenssl,
  openssl,
  type TrialKey,
  trialKey,
} from './trial-pki.fixture.ts';
import { verifyCsr, verifyCsrDer } from './verify-csr.ts';

let key: TrialKey;
let other: TrialKey;
let ed: TrialKey;
let rsa: TrialKey;
beforeAll(async () => {
  key = await trialKey({ type: 'ec', bits: 256 });
  other = await trialKey({ type: 'ec', bits: 256 });
  ed = await trialKey({ type: 'ed25519', bits: 0 });
  rsa = await trialKey({ type: 'rsa', bits: 2048 });
});

const rsaSpki = (modulus: Buffer, exponent: Buffer): Uint8Array => {
  const raw = encode(sequence(integerOfBytes(modulus), integerOfBytes(exponent)));
  return encode(sequence(sequence(oids.rsaEncryption, derNull), bitString(raw)));
};
const oddModulus = (bytes: number): Buffer => {
  const modulus = randomBytes(bytes + 1);
  modulus[0] = 0;
  modulus[1] = 0xff;
  modulus[bytes] = 1;
  return modulus;
};
const e65537 = Buffer.from([1, 0, 1]);

describe('a request in PEM is refused', () => {
  test.each([
    ['when empty', '', 'csr contains no data'],
    [
      'when it is another kind of block',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
      'csr must be a PEM block',
    ],
    ['when it is not PEM', 'MIIB', 'csr must be a PEM block'],
    ['with text before it', 'hello\n-----BEGIN CERTIFICATE REQUEST-----', 'csr must be a PEM block'],
    ['without an end', '-----BEGIN CERTIFICATE REQUEST-----\nAAAA', 'csr must be one PEM block'],
    ['when not base64', '-----BEGIN CERTIFICATE REQUEST-----\nA*AA\n-----END CERTIFICATE REQUEST-----', 'not base64'],
    [
      'when base64 is cut',
      '-----BEGIN CERTIFICATE REQUEST-----\nAAAAA\n-----END CERTIFICATE REQUEST-----',
      'not base64',
    ],
    ['without content', '-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----', 'not base64'],
  ])('%s', (_, text, message) => {
    expect(() => verifyCsr(text)).toThrow(message);
  });

  test('when its DER is one byte too long', () => {
    const at = (bytes: number): string => pem('CERTIFICATE REQUEST', Buffer.alloc(bytes));
    expect(() => verifyCsr(at(csrBytesMax + 1))).toThrow(`csr must be at most ${csrBytesMax} bytes of DER`);
    expect(() => verifyCsr(at(csrBytesMax))).toThrow('csr: malformed DER');
  });

  test('with something after it', () => {
    expect(() => verifyCsr(`${csrPem({ key })}\ntrailing`)).toThrow('csr must be one PEM block');
  });
});

describe('a request is refused', () => {
  test('when the signature is by another key', () => {
    expect(() => verifyCsrDer(csrDer({ key: other, spki: key.publicKey.spki }))).toThrow(
      'the signature is not by the key in the request',
    );
  });
  test('when the signature is empty, or not one', () => {
    expect(() => verifyCsrDer(csrDer({ key, signature: Buffer.alloc(0) }))).toThrow('the signature is not by');
    expect(() => verifyCsrDer(csrDer({ key, signature: randomBytes(70) }))).toThrow('the signature is not by');
    expect(() => verifyCsrDer(csrDer({ key: ed, signature: randomBytes(64) }))).toThrow('the signature is not by');
  });
  test.each([
    ['SHA-1 with ECDSA', encode(sequence(oid('1.2.840.10045.4.1')))],
    ['RSA for an EC key', encode(sequence(oids.rsaSha256, derNull))],
    ['ECDSA with a NULL', encode(sequence(oids.ecdsaSha256, derNull))],
  ])('when the signature algorithm is %s', (_, algorithm) => {
    expect(() => verifyCsrDer(csrDer({ key, algorithm }))).toThrow('the signature algorithm is not one of SHA-2');
  });
  test('when the signature algorithm has other parameters', () => {
    const algorithm = encode(sequence(oids.ecdsaSha256, integer(1)));
    expect(() => verifyCsrDer(csrDer({ key, algorithm }))).toThrow('the signature algorithm has parameters');
  });
  test.each([
    ['RSA of 1024 bits', () => rsaSpki(oddModulus(128), e65537), 'RSA keys < 2048 bits are unsafe and not supported'],
    [
      'RSA of 2047 bits',
      () => rsaSpki(Buffer.concat([Buffer.from([0x7f]), oddModulus(255).subarray(1)]), e65537),
      'RSA keys < 2048 bits',
    ],
    ['RSA of 8200 bits', () => rsaSpki(oddModulus(1025), e65537), 'RSA keys > 8192 bits are not supported'],
    [
      'an even RSA modulus',
      () => rsaSpki(Buffer.concat([Buffer.from([0, 0xff]), Buffer.alloc(255)]), e65537),
      'modulus must be odd',
    ],
    ['the RSA exponent 1', () => rsaSpki(oddModulus(256), Buffer.from([1])), 'an RSA exponent must be odd, from 3'],
    [
      'the RSA exponent 2^64+1',
      () => rsaSpki(oddModulus(256), Buffer.from('010000000000000001', 'hex')),
      'an RSA exponent must be odd',
    ],
    ['an even RSA exponent', () => rsaSpki(oddModulus(256), Buffer.from([0x01, 0, 0])), 'an RSA exponent must be odd'],
    [
      'a point that is not on its curve',
      () => spki256(Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 7)])),
      'the public key is not valid',
    ],
    [
      'a compressed point',
      () => spki256(Buffer.concat([Buffer.from([2]), key.publicKey.raw.subarray(1, 33)])),
      'an EC point must be uncompressed',
    ],
    [
      'a point of another length',
      () => spki256(Buffer.concat([Buffer.from([4]), Buffer.alloc(63)])),
      'an EC point must be uncompressed',
    ],
    [
      'Ed25519 of 31 bytes',
      () => encode(sequence(sequence(oids.ed25519), bitString(Buffer.alloc(31)))),
      'an Ed25519 key must be 32 bytes',
    ],
    [
      'Ed448',
      () => generateKeyPairSync('ed448').publicKey.export({ type: 'spki', format: 'der' }),
      'the key must be RSA, Ed25519, or EC',
    ],
    [
      'secp256k1',
      () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey.export({ type: 'spki', format: 'der' }),
      'the key must be RSA',
    ],
    [
      'explicit curve parameters',
      () =>
        generateKeyPairSync('ec', { namedCurve: 'prime256v1', paramEncoding: 'explicit' }).publicKey.export({
          type: 'spki',
          format: 'der',
        }),
      'the key must be RSA',
    ],
  ])('when its key is %s', (_, spki, message) => {
    expect(() => verifyCsrDer(csrDer({ key, spki: spki() }))).toThrow(message);
  });
  test('when it has two common names', () => {
    const subject = sequence(attribute(oids.commonName, utf8String('a')), attribute(oids.commonName, utf8String('b')));
    expect(() => verifyCsrDer(csrDer({ key, subject }))).toThrow('csr: the subject has more than one common name');
  });
  test.each([
    ['a BMPString', 0x1e, 'a text must be a UTF8String'],
    ['a T61String', 0x14, 'a text must be a UTF8String'],
    ['a UTF8String that is not UTF-8', 0x0c, 'a text is not UTF-8'],
    ['a PrintableString that is not ASCII', 0x13, 'a text is not ASCII'],
  ])('when its common name is %s', (_, tag, message) => {
    const subject = sequence(attribute(oids.commonName, wrap(tag, [Buffer.from([0xff, 0xfe])])));
    expect(() => verifyCsrDer(csrDer({ key, subject }))).toThrow(message);
  });
  test('when its subject has one attribute too many', () => {
    const subject = (count: number) =>
      sequence(...Array.from({ length: count }, () => attribute(oid('2.5.4.11'), utf8String('x'))));
    expect(verifyCsrDer(csrDer({ key, subject: subject(subjectAttributesMax) })).commonName).toBeUndefined();
    expect(() => verifyCsrDer(csrDer({ key, subject: subject(subjectAttributesMax + 1) }))).toThrow(
      'the subject has more than',
    );
  });
  test('when it asks for alternative names twice', () => {
    const san = sequence(oids.subjectAltName, octetString(sequence()));
    expect(() => verifyCsrDer(csrDer({ key, extensions: [san, san] }))).toThrow('two subjectAltName extensions');
    const twice = [extensionRequest([san]), extensionRequest([san])];
    expect(() => verifyCsrDer(csrDer({ key, attributes: twice }))).toThrow('two extension requests');
  });
  test.each([
    ['a directory name', wrap(0xa4, [sequence()]), 'an alternative name must be'],
    ['a registered id', wrap(0x88, [Buffer.from([42])]), 'an alternative name must be'],
    ['an address of 5 bytes', wrap(0x87, [Buffer.alloc(5)]), 'an IP address must be 4 or 16 bytes'],
    ['a DNS name that is not ASCII', wrap(0x82, [Buffer.from('é')]), 'a text is not ASCII'],
    ['a DNS name with an @', wrap(0x82, [Buffer.from('a@b.com')]), 'a DNS name has an @'],
    ['an email address without an @', wrap(0x81, [Buffer.from('b.com')]), 'an email address has none'],
    ['an otherName that is no text', wrap(0xa0, [oid('1.2.3'), wrap(0xa0, [integer(1)])]), 'a text must be'],
  ])('when an alternative name is %s', (_, name, message) => {
    const san = sequence(oids.subjectAltName, octetString(sequence(name)));
    expect(() => verifyCsrDer(csrDer({ key, extensions: [san] }))).toThrow(message);
  });
  test('when it has one name too many', () => {
    const ips = (count: number): Uint8Array[] =>
      Array.from({ length: count }, (_, i) => Uint8Array.from([10, 0, i >> 8, i & 255]));
    expect(verifyCsrDer(csrDer({ key, names: { ips: ips(namesMax) } })).ips).toHaveLength(namesMax);
    expect(() => verifyCsrDer(csrDer({ key, names: { ips: ips(namesMax + 1) } }))).toThrow(`at most ${namesMax} names`);
  });
  test('when bytes follow it, or it is one of ten thousand nested sequences', () => {
    expect(() => verifyCsrDer(Buffer.concat([csrDer({ key }), Buffer.alloc(1)]))).toThrow('bytes follow the value');
    let nested: Buffer = Buffer.alloc(0);
    for (let depth = 0; depth < 5_000; depth++) nested = encode(sequence(nested));
    expect(() => verifyCsrDer(nested)).toThrow('csr: malformed DER');
  });
});

const spki256 = (point: Uint8Array): Uint8Array =>
  encode(sequence(sequence(oids.ecPublicKey, oids.p256), bitString(point)));

describe('a request is read', () => {
  test('with every kind of name', () => {
    const oidDer = oidOf('1.3.6.1.4.1.311.20.2.3') ?? Buffer.alloc(0);
    const csr = verifyCsr(
      csrPem({
        key,
        commonName: 'a.example.com',
        names: {
          dns: ['a.example.com', '*.b.example.com'],
          emails: ['me@example.com'],
          uris: ['spiffe://x/y'],
          ips: [Uint8Array.from([10, 0, 0, 1])],
          others: [{ oid: '1.3.6.1.4.1.311.20.2.3', oidDer, value: 'me@corp' }],
        },
      }),
    );
    expect(csr.commonName).toBe('a.example.com');
    expect(csr.names).toEqual(['me@example.com', 'a.example.com', '*.b.example.com']);
    expect(csr.uris).toEqual(['spiffe://x/y']);
    expect(csr.ips.map((ip) => [...ip])).toEqual([[10, 0, 0, 1]]);
    expect(csr.others.map(({ oid, value }) => `${oid}=${value}`)).toEqual(['1.3.6.1.4.1.311.20.2.3=me@corp']);
  });

  test.each(['ec', 'ed25519', 'rsa'] as const)('with a key of type %s', (type) => {
    const wanted = { ec: key, ed25519: ed, rsa }[type];
    const { publicKey } = verifyCsr(csrPem({ key: wanted, commonName: 'x' }));
    expect(publicKey.type).toBe(type);
    expect(Buffer.compare(publicKey.spki, wanted.publicKey.spki)).toBe(0);
  });

  test('where extensions of other kinds are asked for, which nobody copies', () => {
    const constraints = sequence(oids.basicConstraints, octetString(sequence(Buffer.from([1, 1, 0xff]))));
    expect(verifyCsr(csrPem({ key, commonName: 'x', extensions: [constraints] })).names).toEqual([]);
  });

  test('as @peculiar/x509 writes it', async () => {
    const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
    const made = await x509.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=a.example.com, O=Acme',
      keys,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      extensions: [
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.SubjectAlternativeNameExtension([
          { type: 'dns', value: 'a.example.com' },
          { type: 'ip', value: '10.0.0.1' },
          { type: 'email', value: 'me@example.com' },
        ]),
      ],
    });
    const csr = verifyCsr(made.toString('pem'));
    expect(csr.commonName).toBe('a.example.com');
    expect(csr.names).toEqual(['a.example.com', 'me@example.com']);
    expect(csr.ips.map((ip) => [...ip])).toEqual([[10, 0, 0, 1]]);
  });

  test('as node-forge writes it', () => {
    const keys = { privateKey: forge.pki.privateKeyFromPem(pem(rsa.traditional.label, rsa.traditional.der)) };
    const made = forge.pki.createCertificationRequest();
    made.publicKey = forge.pki.setRsaPublicKey(keys.privateKey.n, keys.privateKey.e);
    made.setSubject([
      { name: 'commonName', value: 'a.example.com' },
      { name: 'organizationName', value: 'Acme' },
    ]);
    made.setAttributes([
      {
        name: 'extensionRequest',
        extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'b.example.com' }] }],
      },
    ]);
    made.sign(keys.privateKey, forge.md.sha256.create());
    const csr = verifyCsr(forge.pki.certificationRequestToPem(made));
    expect(csr.commonName).toBe('a.example.com');
    expect(csr.names).toEqual(['b.example.com']);
    expect(csr.publicKey).toMatchObject({ type: 'rsa', bits: 2048 });
  });

  test.skipIf(!hasOpenssl)('as openssl writes it, and openssl verifies those that the fixture writes', () => {
    const keyPem = pem('PRIVATE KEY', key.pkcs8);
    const args = [
      'req',
      '-new',
      '-key',
      'k.pem',
      '-subj',
      '/C=DE/O=Acme/CN=a.example.com',
      '-addext',
      'subjectAltName=DNS:b.example.com,IP:::1',
      '-config',
      'c.cnf',
    ];
    const made = openssl(args, { 'k.pem': keyPem, 'c.cnf': '[req]\ndistinguished_name=d\n[d]\n' });
    expect(made.status, made.output).toBe(0);
    const csr = verifyCsr(made.output);
    expect(csr.names).toEqual(['b.example.com']);
    expect(csr.ips[0]).toHaveLength(16);
    const back = openssl(['req', '-in', 'r.pem', '-noout', '-verify'], {
      'r.pem': csrPem({ key, commonName: 'x', names: { dns: ['a.b'] } }),
    });
    expect(back.output).toMatch(/verify OK/);
  });

  test('names go in and come out, whatever they are', async () => {
    const names = fc.record({
      dns: fc.uniqueArray(fc.domain(), { maxLength: 4 }),
      emails: fc.uniqueArray(fc.emailAddress(), { maxLength: 2 }),
      uris: fc.uniqueArray(fc.webUrl(), { maxLength: 2 }),
      ips: fc.array(fc.uint8Array({ minLength: 4, maxLength: 4 }), { maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(names, async (asked) => {
        const der = csrDer({ key, names: asked });
        const csr = verifyCsrDer(der);
        expect(csr.names).toEqual([...asked.emails, ...asked.dns]);
        expect(csr.uris).toEqual(asked.uris);
        const peer = new x509.Pkcs10CertificateRequest(der).getExtension('2.5.29.17');
        const theirs = peer === null ? [] : new x509.SubjectAlternativeNameExtension(peer.rawData).names.items;
        expect(theirs.filter(({ type }) => type === 'dns').map(({ value }) => value)).toEqual(asked.dns);
        expect(theirs).toHaveLength(csr.names.length + csr.uris.length + csr.ips.length);
      }),
      { numRuns: 25 },
    );
  });
});

describe('a damaged request', () => {
  /** Changes, cuts, doubles or inserts bytes anywhere. */
  const damage = fc.array(
    fc.record({
      at: fc.nat(),
      kind: fc.constantFrom('set', 'cut', 'double', 'insert'),
      byte: fc.nat(255),
      size: fc.nat(40),
    }),
    { minLength: 1, maxLength: 4 },
  );

  test('is refused as bad input, soon, and never otherwise', () => {
    const sound = [
      csrDer({
        key,
        commonName: 'a.example.com',
        names: { dns: ['a.example.com'], ips: [Uint8Array.from([1, 2, 3, 4])], emails: ['a@b.c'] },
      }),
      csrDer({ key: ed, commonName: 'a' }),
      csrDer({ key: rsa, commonName: 'a', names: { uris: ['spiffe://a/b'] } }),
    ];
    let accepted = 0;
    fc.assert(
      fc.property(fc.constantFrom(...sound), damage, (der, changes) => {
        const broken = changes.reduce<Buffer>((bytes, { at, kind, byte, size }) => {
          const place = bytes.length === 0 ? 0 : at % bytes.length;
          if (kind === 'set')
            return Buffer.concat([bytes.subarray(0, place), Buffer.from([byte]), bytes.subarray(place + 1)]);
          if (kind === 'cut') return Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + size)]);
          if (kind === 'double') return Buffer.concat([bytes.subarray(0, place + size), bytes.subarray(place)]);
          return Buffer.concat([bytes.subarray(0, place), Buffer.alloc(size, byte), bytes.subarray(place)]);
        }, Buffer.from(der));
        try {
          verifyCsrDer(broken);
          accepted += Buffer.compare(broken, der) === 0 ? 0 : 1;
        } catch (error) {
          if (!(error instanceof LockstepError) || error.code !== 'invalid-input') throw error;
        }
      }),
      { numRuns: 2000 },
    );
    // ECDSA and RSA signatures cover every byte but their own; none of those has a second form that OpenSSL takes.
    expect(accepted).toBe(0);
  });
});
