import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/** What a test's node was asked. */
export interface Asked {
  readonly operation: string;
  readonly path: string;
  readonly data: { readonly [name: string]: unknown };
  readonly token: string | undefined;
  readonly namespace: string | undefined;
}

/** What it says: a status and a body, in the form that Vault's API has. An object is JSON, text is sent as a PEM file. */
export interface Said {
  readonly status: number;
  readonly body?: object | string;
  readonly code?: string;
  readonly field?: string;
}

export interface TestNode {
  readonly address: string;
  readonly close: () => Promise<void>;
}

/** A node for tests of the command line, over plain HTTP on loopback. */
export async function openTestNode(say: (asked: Asked) => Said): Promise<TestNode> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => send(response, say(askedOf(request, body))));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the node has no port');
  return {
    address: `127.0.0.1:${address.port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

const operations: { readonly [method: string]: string } = {
  PUT: 'write',
  PATCH: 'patch',
  DELETE: 'delete',
  GET: 'read',
};

function askedOf(request: IncomingMessage, body: string): Asked {
  const [path = '', query] = (request.url ?? '').split('?');
  const { list, ...parameters } = Object.fromEntries(new URLSearchParams(query));
  const header = (name: string): string | undefined => request.headers[name]?.toString();
  return {
    operation: list === 'true' ? 'list' : (operations[request.method ?? ''] ?? ''),
    path: decodeURIComponent(path.replace('/v1/', '')),
    data: body === '' ? parameters : JSON.parse(body),
    token: header('x-vault-token'),
    namespace: header('x-vault-namespace'),
  };
}

function send(response: ServerResponse, { status, body, code, field }: Said): void {
  const type = typeof body === 'string' ? 'application/x-pem-file' : 'application/json';
  response.writeHead(status, {
    ...(body === undefined ? {} : { 'Content-Type': type }),
    ...(code === undefined ? {} : { 'X-Lockstep-Error': code }),
    ...(field === undefined ? {} : { 'X-Lockstep-Field': field }),
  });
  response.end(typeof body === 'object' ? JSON.stringify(body) : body);
}
