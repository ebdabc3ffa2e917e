// START HERE: what a client can do, and what it promises. `openClient` speaks gRPC, `openHttpClient` HTTP; both are this.

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

export type Operation = 'read' | 'write' | 'patch' | 'delete' | 'list';

/** What came of a request. Nothing is thrown for what a cluster or network does; only for wrong use of the client. */
export type Outcome<Data = JsonObject> = Applied<Data> | Refused | Unknown;

/** It was done (or read), and cannot be lost. */
export interface Applied<Data = JsonObject> {
  readonly kind: 'applied';
  /** Empty where the reply had none. */
  readonly data: Data;
  /** After a login or the making of a token, in Vault's form. */
  readonly auth?: JsonObject;
  /** A reply that is not JSON: a CRL, a PEM file. */
  readonly raw?: Uint8Array;
  readonly warnings?: readonly string[];
  /** Which node answered, as it was given to the client. */
  readonly address: string;
}

/** It was certainly not done. */
export interface Refused {
  readonly kind: 'refused';
  /** `denied`, `not-found`, `sealed`, `no-leader`, … (the server's table of errors); `unavailable` when no node could be reached. */
  readonly code: string;
  readonly message: string;
  /** The field of the request that broke a rule, where one did. */
  readonly field?: string;
}

/** It may have been done, or may still be: a write whose answer was lost. Read before trying again. */
export interface Unknown {
  readonly kind: 'unknown';
  readonly message: string;
}

export interface RequestOptions {
  /** How long to wait in all, retries included. */
  readonly deadlineMs?: number;
  /** For a write that may be repeated by the caller too. Without it each write gets a key of its own, unless keys are off. */
  readonly idempotencyKey?: string;
  /** Instead of the client's own: `none` for what leaves no trace that a repeat could supersede (a role with no_store). */
  readonly idempotencyKeys?: 'each-write' | 'none';
  /** Instead of the client's own token. */
  readonly token?: string;
}

export interface CertificateRequest {
  /** `pki` unless given. */
  readonly mount?: string;
  readonly role: string;
  readonly common_name: string;
  readonly alt_names?: string;
  readonly ip_sans?: readonly string[];
  readonly uri_sans?: readonly string[];
  readonly ttl?: string;
}

export interface IssuedCertificate {
  readonly certificate: string;
  readonly issuing_ca: string;
  readonly ca_chain: readonly string[];
  readonly private_key: string;
  readonly private_key_type: string;
  readonly serial_number: string;
  /** Seconds since 1970. */
  readonly expiration: number;
}

export interface Client {
  /** Any route of the API. `path` is without `/v1/`. */
  readonly request: (
    operation: Operation,
    path: string,
    data?: JsonObject,
    options?: RequestOptions,
  ) => Promise<Outcome>;
  /** The hot call: over gRPC it has a typed message of its own. */
  readonly issueCertificate: (
    request: CertificateRequest,
    options?: RequestOptions,
  ) => Promise<Outcome<IssuedCertificate>>;
  readonly close: () => void;
}

/**
 * A client stays with the node that answered last, and goes to the next when that one cannot be reached, is sealed, or knows no
 * leader. It tries again by itself only where nothing was done, where nothing can be done twice (reads), or where an idempotency
 * key makes the second try safe; a bounded number of times, within the deadline.
 */
export interface ClientOptions {
  /** `host:port`, or `http://host:port` for one without TLS. At least one. */
  readonly addresses: readonly string[];
  /** The certificate of the authority that signed the nodes' certificates, in PEM; or the file that has it. */
  readonly caPem?: string;
  readonly caFile?: string;
  readonly token?: string;
  /** For each request; 10 s unless given. */
  readonly deadlineMs?: number;
  /** Tries of one request in all, over all addresses; 16 unless given. */
  readonly attemptsMax?: number;
  /** `each-write` (unless given): every write carries a key, and is tried again after a lost answer. `none`: such a write is `unknown`. */
  readonly idempotencyKeys?: 'each-write' | 'none';
}
