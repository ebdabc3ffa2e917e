import { caOf, parseAddress } from './addresses.ts';
import { type Attempt, Attempts, type Sending } from './attempts.ts';
import type { Client, ClientOptions, IssuedCertificate, JsonObject, Operation } from './client.ts';
import { exchange, type HttpExchange, type HttpNode, type HttpRequest, openHttpNode } from './http-exchange.ts';

const defaultPort = 8200;

/** A client over HTTP. Throws a TypeError for addresses that are none; connects when first used. */
export function openHttpClient(options: ClientOptions): Client {
  const attempts = new Attempts(options);
  const ca = caOf(options);
  const nodes = options.addresses.map((spelled) => openHttpNode(parseAddress(spelled, defaultPort), { ca }));
  const send = async <Data>(request: Asked, sending: Sending): Promise<Attempt<Data>> => {
    const node = nodes[sending.address];
    if (node === undefined) throw new Error(`no address ${sending.address}`);
    return attemptOf(await exchange(node, httpRequest(request, sending)), node);
  };
  return {
    request: (operation, path, data, asked = {}) =>
      attempts.run(operation, asked, (sending) => send<JsonObject>({ operation, path, data }, sending)),
    issueCertificate: ({ mount = 'pki', role, ...fields }, asked = {}) =>
      attempts.run('write', asked, (sending) =>
        send<IssuedCertificate>({ operation: 'write', path: `${mount}/issue/${role}`, data: fields }, sending),
      ),
    close: () => {
      for (const { agent } of nodes) agent.destroy();
    },
  };
}

interface Asked {
  readonly operation: Operation;
  readonly path: string;
  readonly data: JsonObject | undefined;
}

const methods: { readonly [O in Operation]: string } = {
  read: 'GET',
  write: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  list: 'GET',
};

function httpRequest({ operation, path, data }: Asked, sending: Sending): HttpRequest {
  const takesBody = operation === 'write' || operation === 'patch';
  const headers: { [name: string]: string } = {
    'X-Vault-Request': 'true',
    'X-Lockstep-Timeout': timeoutHeader(sending.timeoutMs),
  };
  if (sending.token !== undefined) headers['X-Vault-Token'] = sending.token;
  if (sending.idempotencyKey !== undefined) headers['Idempotency-Key'] = sending.idempotencyKey;
  if (takesBody) headers['Content-Type'] = operation === 'patch' ? 'application/merge-patch+json' : 'application/json';
  return {
    method: methods[operation],
    target: targetOf(path, takesBody ? {} : { ...data, ...(operation === 'list' ? { list: true } : {}) }),
    headers,
    body: takesBody ? JSON.stringify(data ?? {}) : undefined,
    timeoutMs: sending.timeoutMs,
  };
}

/** The request target of a path: each segment percent-encoded, the fields as a query. */
export function targetOf(path: string, query: JsonObject): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((one) => one !== undefined && one !== null)
      .map(
        (one) =>
          `${encodeURIComponent(name)}=${encodeURIComponent(typeof one === 'string' ? one : JSON.stringify(one))}`,
      ),
  );
  return `/v1/${encoded}${pairs.length === 0 ? '' : `?${pairs.join('&')}`}`;
}

function timeoutHeader(ms: number): string {
  return `${Math.max(1, Math.min(Math.floor(ms), 9_999_999))}ms`;
}

/** Reads an answer in Vault's form. */
function attemptOf<Data>(got: HttpExchange, { address }: HttpNode): Attempt<Data> {
  if (got.kind === 'not-sent') return got;
  if (got.kind === 'lost') return { kind: 'unknown', message: got.message };
  const { status, headers, body } = got;
  const isJson = headers['content-type'] === 'application/json';
  const parsed = isJson && body.length > 0 ? parse<Data>(body) : {};
  if (parsed === undefined) return { kind: 'unknown', message: `${address.spelled} answered with broken JSON` };
  const code = headers['x-lockstep-error'];
  if (code !== undefined || (status >= 400 && parsed.errors !== undefined))
    return refusal(typeof code === 'string' ? code : codeByStatus(status), parsed.errors ?? [], fieldIn(headers));
  // Flat bodies (sys/health) come as they are, at any status.
  const isEnveloped = parsed.request_id !== undefined;
  return {
    kind: 'applied',
    data: (isEnveloped ? (parsed.data ?? {}) : parsed) as Data,
    ...(parsed.auth === undefined || parsed.auth === null ? {} : { auth: parsed.auth }),
    ...(parsed.warnings === undefined || parsed.warnings === null ? {} : { warnings: parsed.warnings }),
    ...(isJson || body.length === 0 ? {} : { raw: body }),
    address: address.spelled,
  };
}

interface Envelope<Data> {
  readonly request_id?: string;
  readonly data?: Data | null;
  readonly auth?: JsonObject | null;
  readonly warnings?: readonly string[] | null;
  readonly errors?: readonly string[];
}

function parse<Data>(body: Buffer): Envelope<Data> | undefined {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // The caller says so, without the text: it may hold a secret.
    return undefined;
  }
}

function fieldIn(headers: { readonly [name: string]: unknown }): { readonly field?: string } {
  const field = headers['x-lockstep-field'];
  return typeof field === 'string' ? { field } : {};
}

function refusal(code: string, errors: readonly string[], field: { readonly field?: string }): Attempt<never> {
  const message = errors.join('; ') || code;
  if (code === 'outcome-unknown' || code === 'internal') return { kind: 'unknown', code, message };
  return { kind: 'refused', code, message, ...field };
}

/** For answers that no door of ours gave: a proxy's, or one to a request that could not be parsed. */
function codeByStatus(status: number): string {
  if (status === 403) return 'denied';
  if (status === 404) return 'not-found';
  if (status === 405) return 'unsupported-operation';
  if (status === 413) return 'too-large';
  if (status === 429) return 'rate-limited';
  return status < 500 ? 'invalid-input' : 'internal';
}
