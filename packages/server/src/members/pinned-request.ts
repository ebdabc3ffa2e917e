import { X509Certificate } from 'node:crypto';
import { request } from 'node:http';
import { connect, type TLSSocket } from 'node:tls';
import { LockstepError } from '@lockstep/contract/errors';
import { isObject } from '@lockstep/contract/fields';
import { pinOf } from '@lockstep/core/peers/peer-pin';
import { hostOf } from './hosts.ts';
import { joinServerName } from './join-context.ts';
import { joinAnswerBytesMax, joinAnswerMs } from './limits.ts';

export interface PinnedAnswer {
  readonly status: number;
  readonly body: { readonly [name: string]: unknown };
}

/**
 * Posts JSON to a member's HTTP door, and not a byte before that has shown a certificate signed by the authority with this pin. Rejects
 * with `unavailable` when nobody answers in time, and with `denied` when somebody else does.
 */
export async function pinnedPost(
  to: { readonly address: string; readonly pin: string; readonly path: string },
  body: object,
): Promise<PinnedAnswer> {
  const socket = await pinnedSocket(to);
  try {
    return await post(socket, to, JSON.stringify(body));
  } finally {
    socket.destroy();
  }
}

/** Why nothing could be posted there; undefined when it could. */
export async function whyNoPost(to: { readonly address: string; readonly pin: string }): Promise<string | undefined> {
  try {
    (await pinnedSocket(to)).destroy();
    return undefined;
  } catch (error) {
    if (error instanceof LockstepError) return error.message;
    throw error;
  }
}

async function pinnedSocket({ address, pin }: { readonly address: string; readonly pin: string }): Promise<TLSSocket> {
  const url = new URL(address);
  return await new Promise((resolve, reject) => {
    const socket = connect({
      host: hostOf(url.host),
      port: url.port === '' ? 443 : Number(url.port),
      servername: joinServerName,
      ALPNProtocols: ['http/1.1'],
      minVersion: 'TLSv1.3',
      // Checked below, against the pin and nothing else.
      rejectUnauthorized: false,
      timeout: joinAnswerMs,
    });
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.once('timeout', () => fail(unavailable(address, 'it does not answer')));
    socket.once('error', (error) => fail(unavailable(address, error.message)));
    socket.once('secureConnect', () => {
      const why = whyNotTrusted(socket, pin);
      if (why === undefined) resolve(socket);
      else fail(new LockstepError('denied', `the server at ${address} is no member of the cluster: ${why}`));
    });
  });
}

function whyNotTrusted(socket: TLSSocket, pin: string): string | undefined {
  const leaf = socket.getPeerCertificate(true);
  const issuer = leaf.issuerCertificate;
  if (leaf.raw === undefined || issuer?.raw === undefined) return 'it shows no certificate of a cluster';
  const [certificate, authority] = [new X509Certificate(leaf.raw), new X509Certificate(issuer.raw)];
  if (pinOf(issuer.raw) !== pin) return 'its certificate is of another authority than the token names';
  const isSigned = certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
  return isSigned ? undefined : 'its certificate is not signed by the authority that it shows';
}

async function post(
  socket: TLSSocket,
  { address, path }: { readonly address: string; readonly path: string },
  text: string,
): Promise<PinnedAnswer> {
  return await new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(unavailable(address, why));
    const sent = request({
      method: 'POST',
      path: `/v1/${path}`,
      headers: {
        Host: new URL(address).host,
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(text),
      },
      createConnection: () => socket,
    });
    sent.setTimeout(joinAnswerMs, () => sent.destroy(new Error('it does not answer')));
    sent.on('error', (error) => fail(error.message));
    sent.on('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > joinAnswerBytesMax) sent.destroy(new Error('its answer is too long'));
        else chunks.push(chunk);
      });
      response.on('error', (error) => fail(error.message));
      response.on('end', () => {
        try {
          const body: unknown = JSON.parse(Buffer.concat(chunks).toString());
          resolve({ status: response.statusCode ?? 0, body: isObject(body) ? body : {} });
        } catch (error) {
          if (!(error instanceof SyntaxError)) throw error;
          fail(`it answers ${response.statusCode ?? 0} with what is no JSON`);
        }
      });
    });
    sent.end(text);
  });
}

function unavailable(address: string, why: string): LockstepError {
  return new LockstepError('unavailable', `the member at ${address} can not be asked: ${why}`);
}
