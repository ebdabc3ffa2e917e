// The object identifiers in use, encoded once.
import { oid } from './der.ts';

export const ecPublicKey: Buffer = oid('1.2.840.10045.2.1');
export const rsaEncryption: Buffer = oid('1.2.840.113549.1.1.1');
export const ed25519: Buffer = oid('1.3.101.112');

export const p256: Buffer = oid('1.2.840.10045.3.1.7');
export const p384: Buffer = oid('1.3.132.0.34');
export const p521: Buffer = oid('1.3.132.0.35');

export const ecdsaSha256: Buffer = oid('1.2.840.10045.4.3.2');
export const ecdsaSha384: Buffer = oid('1.2.840.10045.4.3.3');
export const ecdsaSha512: Buffer = oid('1.2.840.10045.4.3.4');
export const rsaSha256: Buffer = oid('1.2.840.113549.1.1.11');
export const rsaSha384: Buffer = oid('1.2.840.113549.1.1.12');
export const rsaSha512: Buffer = oid('1.2.840.113549.1.1.13');

export const extensionRequest: Buffer = oid('1.2.840.113549.1.9.14');

export const subjectKeyIdentifier: Buffer = oid('2.5.29.14');
export const keyUsage: Buffer = oid('2.5.29.15');
export const subjectAltName: Buffer = oid('2.5.29.17');
export const basicConstraints: Buffer = oid('2.5.29.19');
export const crlNumber: Buffer = oid('2.5.29.20');
export const nameConstraints: Buffer = oid('2.5.29.30');
export const crlDistributionPoints: Buffer = oid('2.5.29.31');
export const certificatePolicies: Buffer = oid('2.5.29.32');
export const authorityKeyIdentifier: Buffer = oid('2.5.29.35');
export const extendedKeyUsage: Buffer = oid('2.5.29.37');
export const authorityInfoAccess: Buffer = oid('1.3.6.1.5.5.7.1.1');
export const accessOcsp: Buffer = oid('1.3.6.1.5.5.7.48.1');
export const accessCaIssuers: Buffer = oid('1.3.6.1.5.5.7.48.2');

export const commonName: Buffer = oid('2.5.4.3');
