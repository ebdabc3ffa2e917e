import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isObject } from '@lockstep/contract/fields';

/** One call to a development node's HTTP door, for setting the cluster up. */
export interface AdminCall {
  readonly address: string;
  readonly caFile: string;
  readonly method: string;
  readonly path: string;
  readonly token?: string;
  readonly body?: { readonly [name: string]: unknown };
  readonly headers?: { readonly [name: string]: string };
}

export interface AdminAnswer {
  readonly status: number;
  /** The body as it came. */
  readonly text: string;
  /** Parsed, where it is a JSON object; otherwise empty. */
  readonly body: { readonly [name: string]: unknown };
}

/** A node on this machine that has not answered by then is not there yet, or hangs. */
const answerWithinMs = 10_000;

/** Rejects when the node can't be reached; any HTTP status is an answer. */
export function adminCall(call: AdminCall): Promise<AdminAnswer> {
  const url = new URL(`/v1/${call.path}`, call.address);
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const headers = { ...call.headers, ...(call.token === undefined ? {} : { 'X-Vault-Token': call.token }) };
  return new Promise((resolve, reject) => {
    const sent = send(
      url,
      {
        method: call.method,
        headers,
        ca: url.protocol === 'https:' ? readFileSync(call.caFile) : undefined,
        timeout: answerWithinMs,
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const isJson = response.headers['content-type']?.startsWith('application/json') === true;
          resolve({ status: response.statusCode ?? 0, text, body: isJson ? parsed(text) : {} });
        });
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`${call.address} did not answer in ${answerWithinMs} ms`)));
    sent.on('error', reject);
    sent.end(call.body === undefined ? undefined : JSON.stringify(call.body));
  });
}

function parsed(text: string): { readonly [name: string]: unknown } {
  const body: unknown = text === '' ? {} : JSON.parse(text);
  return isObject(body) ? body : {};
}
