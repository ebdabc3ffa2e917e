// The layout of a mount's keyspace. Serials are lower-case hex; index keys have empty values.

export const roleKey = (name: string): string => `role/${name}`;
export const rolePrefix = 'role/';

export const issuerKey = (id: string): string => `issuer/${id}`;
export const issuerPrefix = 'issuer/';
/** The value is the issuer's id. */
export const issuerNameKey = (name: string): string => `issuer-name/${name}`;
export const authorityKeyKey = (id: string): string => `key/${id}`;

/** The value is the default issuer's id. */
export const defaultIssuerKey = 'config/default-issuer';
export const urlsKey = 'config/urls';
export const crlConfigKey = 'config/crl';

export const certificateKey = (serial: string): string => `cert/${serial}`;
export const certificatePrefix = 'cert/';

/** Certificates by their end: what a tidy walks from its floor. */
export const dueKey = (notAfterSeconds: number, serial: string): string => `due/${ordered(notAfterSeconds)}/${serial}`;

/** Counts an issuer's revocations (see counter.ts of the contract). */
export const revocationsKey = (issuerId: string): string => `revocations/${issuerId}`;
export const revokedPrefix = 'revoked/';
export const revokedOfIssuer = (issuerId: string): string => `${revokedPrefix}${issuerId}/`;

export interface Revocation {
  readonly issuerId: string;
  /** From 1, without gaps, in the order of the log. */
  readonly ordinal: number;
  readonly serial: string;
  readonly revokedAtSeconds: number;
  readonly notAfterSeconds: number;
}

/** An issuer's revocations in the order that they happened, with all that a CRL entry needs: a reader goes on from where it was. */
export function revokedKey({ issuerId, ordinal, serial, revokedAtSeconds, notAfterSeconds }: Revocation): string {
  return `${revokedFrom(issuerId, ordinal)}/${serial}/${revokedAtSeconds}/${notAfterSeconds}`;
}
export const revokedFrom = (issuerId: string, ordinal: number): string =>
  `${revokedOfIssuer(issuerId)}${ordered(ordinal)}`;

export function revocationOf(key: string): Revocation {
  const [, issuerId = '', ordinal = '', serial = '', revokedAt = '', notAfter = ''] = key.split('/');
  return {
    issuerId,
    ordinal: Number(ordinal),
    serial,
    revokedAtSeconds: Number(revokedAt),
    notAfterSeconds: Number(notAfter),
  };
}

/** Decimal of one width, so that byte order is numeric order: 2^53 has 16 digits. */
function ordered(n: number): string {
  return n.toString().padStart(16, '0');
}
