// START HERE: what a mount of certificate authorities answers to, one row for each operation on a path.
import { defineEngine, type Engine, type Route, routesOf } from '@lockstep/contract/engine';
import { type FieldSpec, textField } from '@lockstep/contract/fields';
import { applyPki } from './apply.ts';
import * as configure from './configure.ts';
import { type PkiFact, pkiFacts } from './facts.ts';
import { generateRoot, rootFields } from './generate-root.ts';
import { issueCertificate } from './issue-certificate.ts';
import { issueFields, issuerInPath, signFields } from './issue-fields.ts';
import { nameLengthMax, serialTextMax } from './limits.ts';
import { detailedFields, listDetailed } from './list-detailed.ts';
import { pageFields } from './list-page.ts';
import * as certificates from './read-certificates.ts';
import { readCrlDer, readCrlJson, readCrlPem, readIssuerCrl } from './read-crl.ts';
import * as issuers from './read-issuers.ts';
import { deleteRole, listRoles, readRole } from './read-roles.ts';
import { revokeCertificate, revokeFields } from './revoke-certificate.ts';
import { optional, roleFields, unsupportedRoleFields } from './role-fields.ts';
import { signCsr } from './sign-csr.ts';
import { issuerUpdateFields, patchIssuer, updateIssuer } from './update-issuer.ts';
import { patchRole, writeRole } from './write-role.ts';

const route = routesOf<PkiFact>();

const name: FieldSpec<string> = textField({ required: true, max: nameLengthMax, description: "the role's name" });
const serial: FieldSpec<string> = textField({
  required: true,
  max: serialTextMax,
  description: 'the serial, with colons or hyphens',
});

// biome-ignore format: a table, one row for each route
const issuing: readonly Route<PkiFact>[] = [
  route({ operation: 'write', path: 'issue/:role', summary: 'make a key and a certificate for it', fields: issueFields, onRepeat: 'supersede', handle: issueCertificate }),
  route({ operation: 'write', path: 'issuer/:issuer_ref/issue/:role', summary: 'the same, by a certain issuer', fields: { ...issueFields, ...issuerInPath }, onRepeat: 'supersede', handle: issueCertificate }),
  route({ operation: 'write', path: 'sign/:role', summary: 'sign a certificate request', fields: signFields, handle: signCsr }),
  route({ operation: 'write', path: 'issuer/:issuer_ref/sign/:role', summary: 'the same, by a certain issuer', fields: { ...signFields, ...issuerInPath }, handle: signCsr }),
  route({ operation: 'write', path: 'revoke', summary: 'revoke a certificate', fields: revokeFields, isRelief: true, handle: revokeCertificate }),
];

// biome-ignore format: a table, one row for each route
const certificateRoutes: readonly Route<PkiFact>[] = [
  route({ operation: 'list', path: 'certs', summary: 'serials of stored certificates', fields: pageFields, handle: certificates.listCertificates }),
  route({ operation: 'list', path: 'certs/detailed', summary: 'stored certificates, and what is in them', fields: detailedFields, handle: listDetailed }),
  route({ operation: 'list', path: 'certs/revoked', summary: 'serials of revoked certificates', fields: pageFields, handle: certificates.listRevoked }),
  route({ operation: 'read', path: 'cert/:serial', summary: 'a certificate, and whether it is revoked', fields: { serial }, isPublic: true, handle: certificates.readCertificate }),
  route({ operation: 'read', path: 'cert/:serial/raw', summary: 'a certificate in DER', fields: { serial }, isPublic: true, handle: certificates.readCertificateDer }),
  route({ operation: 'read', path: 'cert/:serial/raw/pem', summary: 'a certificate in PEM', fields: { serial }, isPublic: true, handle: certificates.readCertificatePem }),
];

// biome-ignore format: a table, one row for each route
const authorityRoutes: readonly Route<PkiFact>[] = [
  route({ operation: 'write', path: 'root/generate/:exported', summary: 'make a self-signed authority', fields: rootFields, handle: generateRoot }),
  route({ operation: 'write', path: 'issuers/generate/root/:exported', summary: 'the same', fields: rootFields, handle: generateRoot }),
  route({ operation: 'read', path: 'ca', summary: "the default issuer's certificate in DER", fields: {}, isPublic: true, handle: issuers.readCaDer }),
  route({ operation: 'read', path: 'ca/pem', summary: "the default issuer's certificate in PEM", fields: {}, isPublic: true, handle: issuers.readCaPem }),
  route({ operation: 'read', path: 'ca_chain', summary: "the default issuer's chain in PEM", fields: {}, isPublic: true, handle: issuers.readCaChain }),
  route({ operation: 'read', path: 'cert/ca', summary: "the default issuer's certificate", fields: {}, isPublic: true, handle: issuers.readCaJson }),
  route({ operation: 'read', path: 'cert/ca_chain', summary: "the default issuer's chain", fields: {}, isPublic: true, handle: issuers.readCaJson }),
  route({ operation: 'list', path: 'issuers', summary: 'the authorities of this mount', fields: {}, isPublic: true, handle: issuers.listIssuers }),
  route({ operation: 'read', path: 'issuer/:issuer_ref', summary: 'an authority and its settings', fields: issuerInPath, handle: issuers.readIssuer }),
  route({ operation: 'write', path: 'issuer/:issuer_ref', summary: 'set its settings; what is left out goes back to its default', fields: { ...issuerUpdateFields, ...issuerInPath }, handle: updateIssuer }),
  route({ operation: 'patch', path: 'issuer/:issuer_ref', summary: 'change some of its settings', fields: { ...issuerUpdateFields, ...issuerInPath }, handle: patchIssuer }),
  route({ operation: 'read', path: 'issuer/:issuer_ref/json', summary: 'its certificate and chain', fields: issuerInPath, isPublic: true, handle: issuers.readIssuerJson }),
  route({ operation: 'read', path: 'issuer/:issuer_ref/der', summary: 'its certificate in DER', fields: issuerInPath, isPublic: true, handle: issuers.readIssuerDer }),
  route({ operation: 'read', path: 'issuer/:issuer_ref/pem', summary: 'its certificate in PEM', fields: issuerInPath, isPublic: true, handle: issuers.readIssuerPem }),
];

// biome-ignore format: a table, one row for each route
const crlRoutes: readonly Route<PkiFact>[] = [
  route({ operation: 'read', path: 'crl', summary: "the default issuer's CRL in DER", fields: {}, isPublic: true, handle: readCrlDer }),
  route({ operation: 'read', path: 'crl/pem', summary: "the default issuer's CRL in PEM", fields: {}, isPublic: true, handle: readCrlPem }),
  route({ operation: 'read', path: 'cert/crl', summary: "the default issuer's CRL", fields: {}, isPublic: true, handle: readCrlJson }),
  route({ operation: 'read', path: 'issuer/:issuer_ref/crl', summary: "an issuer's CRL", fields: issuerInPath, isPublic: true, handle: readIssuerCrl }),
  route({ operation: 'read', path: 'issuer/:issuer_ref/crl/der', summary: "an issuer's CRL in DER", fields: issuerInPath, isPublic: true, handle: readCrlDer }),
  route({ operation: 'read', path: 'issuer/:issuer_ref/crl/pem', summary: "an issuer's CRL in PEM", fields: issuerInPath, isPublic: true, handle: readCrlPem }),
  route({ operation: 'read', path: 'crl/rotate', summary: 'make CRLs with a higher number', fields: {}, handle: configure.rotateCrl }),
];

// biome-ignore format: a table, one row for each route
const roleRoutes: readonly Route<PkiFact>[] = [
  route({ operation: 'list', path: 'roles', summary: 'names of roles', fields: pageFields, handle: listRoles }),
  route({ operation: 'read', path: 'roles/:name', summary: 'a role', fields: { name }, handle: readRole }),
  route({ operation: 'write', path: 'roles/:name', summary: 'set a role; what is left out goes back to its default', fields: { ...unsupportedRoleFields, ...roleFields, name }, handle: writeRole }),
  route({ operation: 'patch', path: 'roles/:name', summary: "change some of a role's fields", fields: { ...optional(unsupportedRoleFields), ...optional(roleFields), name }, handle: patchRole }),
  route({ operation: 'delete', path: 'roles/:name', summary: 'delete a role', fields: { name }, handle: deleteRole }),
];

// biome-ignore format: a table, one row for each route
const configRoutes: readonly Route<PkiFact>[] = [
  route({ operation: 'read', path: 'config/issuers', summary: 'the default issuer', fields: {}, handle: configure.readIssuersConfig }),
  route({ operation: 'write', path: 'config/issuers', summary: 'choose the default issuer', fields: configure.issuersConfigFields, handle: configure.writeIssuersConfig }),
  route({ operation: 'read', path: 'config/urls', summary: 'URLs in certificates', fields: {}, handle: configure.readUrlsConfig }),
  route({ operation: 'write', path: 'config/urls', summary: 'set URLs in certificates', fields: configure.urlsConfigFields, handle: configure.writeUrlsConfig }),
  route({ operation: 'read', path: 'config/crl', summary: 'how CRLs are made', fields: {}, handle: configure.readCrlConfig }),
  route({ operation: 'write', path: 'config/crl', summary: 'set how CRLs are made', fields: configure.crlConfigFields, handle: configure.writeCrlConfig }),
];

export const pki: Engine = defineEngine<PkiFact>({
  kind: 'pki',
  description: 'certificate authorities',
  facts: pkiFacts,
  routes: [...issuing, ...certificateRoutes, ...authorityRoutes, ...crlRoutes, ...roleRoutes, ...configRoutes],
  apply: applyPki,
});
