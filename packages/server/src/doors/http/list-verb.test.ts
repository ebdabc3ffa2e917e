import { X509Certificate } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RefusedRequest } from '../door.ts';
import { type HttpDoor, openHttpDoor } from './http-door.ts';
import { testCertificate } from '../test-certificate.ts';

const options = {
  host: '127.0.0.1',
  port: 0,
  onFault: (fault: unknown) => {
    throw fault;
  },
  onRefused: async ({ refusal }: RefusedRequest) => refusal,
  handle: async (r: Parameters<Parameters<typeof openHttpDoor>[0]['handle']>[0]) => ({
    kind: 'reply' as const,
    requestId: r.requestId,
    reply: { data: { said: `${r.operation} ${r.path} ${JSON.stringify(r.data)}` } },
  }),
};
let plain: HttpDoor;
let tls: HttpDoor;
beforeAll(async () => {
  plain = await openHttpDoor(options);
  tls = await openHttpDoor({ ...options, tls: testCertificate });
});
afterAll(async () => {
  await Promise.all([plain.close(), tls.close()]);
});

/** A connection on which each packet is sent once the answers due before it have come. */
class Talk {
  readonly #socket: Socket;
  #got = '';
  #wake: () => void = () => {};
  #isClosed = false;

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (chunk) => {
      this.#got += chunk.toString('latin1');
      this.#wake();
    });
    this.#socket.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  /** Separate packets: each is written only once the one before has left, and the loop has turned often enough for it to arrive. */
  async send(...packets: readonly string[]): Promise<string> {
    const due = this.answers.length + 1;
    for (const packet of packets) {
      await new Promise((resolve) => this.#socket.write(packet, 'latin1', resolve));
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    while (this.answers.length < due && !this.#isClosed) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.answers[due - 1] ?? 'closed';
  }

  get answers(): readonly string[] {
    return [...this.#got.matchAll(/"said":"((?:[^"\\]|\\.)*)"|HTTP\/1\.1 (4\d\d)/g)].map(
      (m) => m[1]?.replaceAll('\\"', '"') ?? `${m[2]}`,
    );
  }

  end(): void {
    this.#socket.destroy();
  }
}

test('LIST and other verbs share a connection', async () => {
  const talk = new Talk(plain.port);
  const head = ' HTTP/1.1\r\nHost: a\r\n';
  expect(await talk.send(`GET /v1/a${head}\r\n`)).toBe('read a {}');
  expect(await talk.send(`LIST /v1/b${head}\r\n`)).toBe('list b {}');
  expect(await talk.send(`LIST /v1/c${head}\r\n`)).toBe('list c {}');
  expect(await talk.send('LI', `ST /v1/d${head}\r\n`)).toBe('list d {}');
  expect(await talk.send(`POST /v1/e${head}Content-Length: 26\r\n\r\n{"a":"`, 'LIST not a verb at"}')).toBe(
    'write e {"a":"LIST not a verb at"}',
  );
  expect(await talk.send(`GET /v1/f?x=${head.trimEnd()}\r\nX-A: `.replace('?x=', ''), 'LIST v\r\n\r\n')).toBe(
    'read f {}',
  );
  expect(await talk.send(`LIST /v1/g${head}Content-Length: 2\r\n\r\n`, '{}')).toBe('list g {}');
  expect(await talk.send(`GET /v1/h${head}\r\n`)).toBe('read h {}');
  expect(await talk.send(`LINK /v1/i${head}\r\n`)).toBe('list i {}');
  expect(await talk.send(`FOO /v1/j${head}\r\n`)).toBe('405');
  talk.end();
});

test.each([
  ['L', 'IST /v1/a'],
  ['LI', 'ST /v1/a'],
  ['LIS', 'T /v1/a'],
  ['LIST', ' /v1/a'],
  ['LIST /v1', '/a'],
  ['L', 'I', 'S', 'T', ' ', '/v1/a'],
])('a first LIST that comes as %s|%s', async (...parts) => {
  const talk = new Talk(plain.port);
  expect(await talk.send(...parts.slice(0, -1), `${parts.at(-1)} HTTP/1.1\r\nHost: a\r\n\r\n`)).toBe('list a {}');
  talk.end();
});

test.each(['ST /v1/a', 'T /v1/a', 'IST /v1/a', 'LISTEN /v1/a', 'list /v1/a', 'LIS /v1/a'])(
  '%s is no LIST',
  async (line) => {
    const talk = new Talk(plain.port);
    expect(await talk.send(`${line} HTTP/1.1\r\nHost: a\r\n\r\n`)).toMatch(/^4/);
    talk.end();
  },
);

test('LIST over TLS, and TLS below 1.3 is refused', async () => {
  const list = (maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<string> =>
    new Promise((resolve, reject) => {
      const sent = httpsRequest(
        {
          host: '127.0.0.1',
          port: tls.port,
          method: 'GET',
          path: '/v1/a',
          ca: testCertificate.cert,
          maxVersion,
          agent: false,
        },
        (got) => {
          got.resume();
          got.on('end', () => resolve(`${got.statusCode}`));
        },
      );
      sent.on('error', reject);
      sent.end();
    });
  expect(new X509Certificate(testCertificate.cert).subjectAltName).toContain('127.0.0.1');
  expect(await list('TLSv1.3')).toBe('200');
  await expect(list('TLSv1.2')).rejects.toThrow(/protocol version|alert/i);
  const { connect: connectTls } = await import('node:tls');
  const said = await new Promise<string>((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port: tls.port, ca: testCertificate.cert });
    let got = '';
    socket.on('data', (chunk) => {
      got += chunk.toString();
      if (got.endsWith('}')) socket.end();
    });
    socket.on('close', () => resolve(got));
    socket.on('error', reject);
    socket.write('LIST /v1/a HTTP/1.1\r\nHost: a\r\n\r\n');
  });
  expect(said).toContain('list a');
});

test('thousands of LISTs on few connections leave nothing behind', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const one = (method: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = connectAndSend(agent, method, (status) => resolve(status));
      sent.on('error', reject);
    });
  let bad = 0;
  let left = 2000;
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      while (left-- > 0) if ((await one(left % 10 === 0 ? 'GET' : 'LIST')) !== 200) bad += 1;
    }),
  );
  agent.destroy();
  expect(bad).toBe(0);
});

function connectAndSend(agent: Agent, method: string, done: (status: number) => void): ReturnType<typeof request> {
  const sent = request({ host: '127.0.0.1', port: plain.port, method, path: '/v1/x', agent }, (got) => {
    got.resume();
    got.on('end', () => done(got.statusCode ?? 0));
  });
  sent.end();
  return sent;
}
