import { readFileSync } from 'node:fs';
import { caOf, parseAddress } from '@lockstep/client/addresses';
import type { JsonObject, Operation } from '@lockstep/client/client';
import { targetOf } from '@lockstep/client/http-client';
import { exchange, type HttpExchange, type HttpNode, openHttpNode } from '@lockstep/client/http-exchange';
import { download, type StreamRequest, upload } from '@lockstep/client/http-streams';
import { exitRemote, Failure, localFailure } from './failure.ts';
import type { Settings } from './settings.ts';

/** An answer that was no error. */
export interface Answer {
  readonly status: number;
  /** The whole body, where it is JSON. */
  readonly body: JsonObject | undefined;
  /** The body's `data`; the body itself where it has no envelope. Undefined when there is none. */
  readonly data: JsonObject | undefined;
  readonly auth: JsonObject | undefined;
  readonly warnings: readonly string[];
  readonly raw: string | undefined;
}

/** One node, as the settings name it. */
export interface Api {
  readonly call: (operation: Operation, path: string, data?: JsonObject) => Promise<Answer>;
  /** Reads an answer that may be too large to hold, piece by piece; answers how many bytes came. */
  readonly download: (path: string, take: (data: Uint8Array) => Promise<void>) => Promise<number>;
  /** A write with a large body. */
  readonly upload: (
    path: string,
    body: { readonly bytes: number; readonly data: AsyncIterable<Uint8Array> },
  ) => Promise<Answer>;
  /** Another node, asked with the same settings. */
  readonly at: (address: string) => Api;
  /** The same node, asked with another token. */
  readonly withToken: (token: string) => Api;
}

const defaultPort = 8200;

/** Refuses settings that name no node. Connects when first used. */
export function openApi(settings: Settings): Api {
  const node = openNode(settings);
  const apiFor = (asked: Settings): Api => ({
    call: async (operation, path, data) => await call({ node, settings: asked }, operation, path, data ?? {}),
    download: async (path, take) => await downloadFrom({ node, settings: asked }, path, take),
    upload: async (path, body) => await uploadTo({ node, settings: asked }, path, body),
    at: (address) => openApi({ ...asked, address }),
    withToken: (token) => apiFor({ ...asked, token }),
  });
  return apiFor(settings);
}

function openNode(settings: Settings): HttpNode {
  try {
    return openHttpNode(parseAddress(settings.address, defaultPort), {
      ca: settings.caFile === undefined ? undefined : caOf({ caFile: settings.caFile }),
      skipVerify: settings.skipVerify,
      ...(settings.serverName === undefined ? {} : { serverName: settings.serverName }),
    });
  } catch (fault) {
    if (fault instanceof TypeError) throw localFailure(fault.message, 'Set LOCKSTEP_ADDR or --address.');
    throw localFailure(`cannot read the CA file ${settings.caFile}`, 'Set LOCKSTEP_CACERT or --ca-cert to a PEM file.');
  }
}

const methods: { readonly [O in Operation]: string } = {
  read: 'GET',
  write: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  list: 'GET',
};

async function call(
  { node, settings }: { readonly node: HttpNode; readonly settings: Settings },
  operation: Operation,
  path: string,
  data: JsonObject,
): Promise<Answer> {
  const takesBody = operation === 'write' || operation === 'patch';
  const target = targetOf(
    path.replace(/^\/+/, '').replace(/^v1\//, ''),
    takesBody ? {} : { ...data, ...(operation === 'list' ? { list: true } : {}) },
  );
  const got = await exchange(node, {
    method: methods[operation],
    target,
    headers: headersOf(settings, operation),
    body: takesBody ? JSON.stringify(data) : undefined,
    timeoutMs: settings.timeoutMs,
  });
  return answerOf(
    { request: `${methods[operation]} ${spelledUrl(settings, target)}`, settings },
    answered(got, { settings, takesBody }),
  );
}

/** A gigabyte over a slow line stands still now and then; a restore is answered when the state is replaced. */
const streamIdleMs = 20 * 60_000;

interface Asking {
  readonly node: HttpNode;
  readonly settings: Settings;
}

async function downloadFrom(
  { node, settings }: Asking,
  path: string,
  take: (data: Uint8Array) => Promise<void>,
): Promise<number> {
  const target = targetOf(path, {});
  const request: StreamRequest = { method: 'GET', target, headers: headersOf(settings, 'read'), idleMs: streamIdleMs };
  const got = await download(node, request, take);
  if (got.kind === 'streamed') return got.bytes;
  answerOf({ request: `GET ${spelledUrl(settings, target)}`, settings }, answered(got, { settings, takesBody: false }));
  throw new Failure(exitRemote, `${spelledUrl(settings, target)} is no file`);
}

async function uploadTo(
  { node, settings }: Asking,
  path: string,
  body: { readonly bytes: number; readonly data: AsyncIterable<Uint8Array> },
): Promise<Answer> {
  const target = targetOf(path, {});
  const headers = { ...headersOf(settings, 'read'), 'Content-Type': 'application/octet-stream' };
  const got = await upload(node, { method: 'POST', target, headers, idleMs: streamIdleMs }, body);
  return answerOf(
    { request: `POST ${spelledUrl(settings, target)}`, settings },
    answered(got, { settings, takesBody: true }),
  );
}

function spelledUrl(settings: Settings, target: string): string {
  return `${settings.address.replace(/\/$/, '')}${target}`;
}

type Answered = Extract<HttpExchange, { kind: 'answered' }>;

/** Throws where there is no answer. */
function answered(got: HttpExchange, { settings, takesBody }: { settings: Settings; takesBody: boolean }): Answered {
  if (got.kind === 'answered') return got;
  if (got.kind === 'not-sent') throw new Failure(exitRemote, got.message, connectionHint(got.message, settings));
  const hint = takesBody ? 'It may have been done or not: read before you try again.' : undefined;
  throw new Failure(exitRemote, got.message, hint);
}

function headersOf(settings: Settings, operation: Operation): { [name: string]: string } {
  return {
    'X-Vault-Request': 'true',
    'X-Lockstep-Timeout': `${settings.timeoutMs}ms`,
    ...(settings.token === undefined ? {} : { 'X-Vault-Token': settings.token }),
    ...(settings.namespace === undefined ? {} : { 'X-Vault-Namespace': settings.namespace }),
    ...(operation === 'patch' ? { 'Content-Type': 'application/merge-patch+json' } : {}),
    ...(operation === 'write' ? { 'Content-Type': 'application/json' } : {}),
  };
}

interface Got {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
  readonly body: Buffer;
}

function answerOf({ request, settings }: { readonly request: string; readonly settings: Settings }, got: Got): Answer {
  const isJson = got.headers['content-type'] === 'application/json';
  const text = got.body.toString('utf8');
  const body = isJson && text !== '' ? parseBody(text, request) : undefined;
  const errors = body?.['errors'];
  if (Array.isArray(errors) || (got.status >= 400 && body === undefined)) {
    throw refusal(
      {
        request,
        status: got.status,
        code: headerIn(got, 'x-lockstep-error'),
        field: headerIn(got, 'x-lockstep-field'),
      },
      Array.isArray(errors) ? errors : [],
      settings,
    );
  }
  const isEnveloped = body !== undefined && 'request_id' in body;
  return {
    status: got.status,
    body,
    data: isEnveloped ? objectIn(body, 'data') : body,
    auth: isEnveloped ? objectIn(body, 'auth') : undefined,
    warnings: isEnveloped && Array.isArray(body['warnings']) ? body['warnings'].map(String) : [],
    raw: isJson || text === '' ? undefined : text,
  };
}

function headerIn({ headers }: Got, name: string): string {
  const value = headers[name];
  return typeof value === 'string' ? value : '';
}

function parseBody(text: string, request: string): JsonObject {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new Failure(
      exitRemote,
      `the answer to ${request} is broken JSON`,
      cause instanceof Error ? cause.name : undefined,
    );
  }
}

/** The member of a reply, where it is an object. */
export function objectIn(body: JsonObject, name: string): JsonObject | undefined {
  const value = body[name];
  return isObject(value) ? value : undefined;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface Refused {
  readonly request: string;
  readonly status: number;
  readonly code: string;
  readonly field: string;
}

function refusal({ request, status, code, field }: Refused, errors: readonly unknown[], settings: Settings): Failure {
  const lines = errors.length === 0 ? [notFoundText(status)] : errors.map((one) => `* ${String(one)}`);
  const message = `${request}\nCode: ${status}${code === '' ? '' : ` (${code}${field === '' ? '' : `, field ${field}`})`}. Errors:\n\n${lines.join('\n')}`;
  return new Failure(exitRemote, message, refusalHint(status, code, settings));
}

function notFoundText(status: number): string {
  return status === 404 ? '* nothing there' : '* no reason given';
}

function refusalHint(status: number, code: string, settings: Settings): string | undefined {
  if (status === 403 && settings.token === undefined) return 'No token was given: set LOCKSTEP_TOKEN (or VAULT_TOKEN).';
  if (status === 403) return "The token's policies do not allow it: lockstep token lookup shows them.";
  if (code === 'sealed') return 'Unseal the node: lockstep unseal.';
  if (code === 'not-initialized') return 'Initialize the cluster once: lockstep init.';
  if (code === 'no-leader') return 'No majority of the nodes is up: lockstep status on each shows which.';
  if (code === 'disk-full') return 'The docs/disk.md page says what to do: reads, deletes and revocations still work.';
  if (code === 'outcome-unknown') return 'It may have been done or not: read before you try again.';
  if (status === 404) return 'lockstep list shows what is there.';
  return undefined;
}

function connectionHint(message: string, settings: Settings): string {
  if (/ECONNREFUSED/.test(message))
    return `Is a node running at ${settings.address}? Set LOCKSTEP_ADDR or --address for another.`;
  if (/EPROTO|wrong version number|packet length/i.test(message))
    return 'The node may speak plain HTTP: try an address with http://.';
  if (/self.signed|unable to (get|verify)|issuer|SELF_SIGNED/i.test(message))
    return "The node's certificate is signed by an authority that is not known here: set LOCKSTEP_CACERT or --ca-cert to its certificate.";
  if (/altnames|Hostname\/IP/i.test(message))
    return 'The certificate is for another name: use that name in the address, or set LOCKSTEP_TLS_SERVER_NAME.';
  return 'Set LOCKSTEP_ADDR or --address to a node that can be reached.';
}

/** A file's text, or stdin's for `-`: how secrets get in without being arguments. */
export async function readSource(source: string, readStdin: () => Promise<string>): Promise<string> {
  if (source === '-') return await readStdin();
  try {
    return readFileSync(source, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw localFailure(`cannot read the file ${source} (${code})`);
  }
}
