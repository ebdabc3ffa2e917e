import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../program.ts';

const recorded = join(import.meta.dirname, '..', '..', '..', 'server', 'testdata', 'recorded', 'v2');
const sample = readFileSync(join(recorded, readdirSync(recorded).find((name) => name.endsWith('.saved')) ?? ''));
const route = '/v1/sys/storage/raft/snapshot';

let folder: string;
let file: string;
const servers: Server[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-cli-snapshot-'));
  file = join(folder, 'a.snapshot');
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true });
});

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

async function node(answer: Answer): Promise<string> {
  const server = createServer(answer);
  server.on('checkContinue', answer);
  servers.push(server);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the node has no port');
  return `http://127.0.0.1:${address.port}`;
}

async function lockstep(
  args: readonly string[],
  address = 'http://127.0.0.1:1',
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  let out = '';
  let err = '';
  const code = await run(args, {
    print: (text) => (out += text),
    printError: (text) => (err += text),
    readStdin: async () => '',
    askHidden: undefined,
    environment: { LOCKSTEP_ADDR: address, LOCKSTEP_TOKEN: 'token' },
    homeDirectory: folder,
  });
  return { code, out, err };
}

function say(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

const giving = (data: Uint8Array, declared = data.length): Answer => {
  return (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': declared });
    response.write(data, () => (data.length === declared ? response.end() : response.destroy()));
  };
};

describe('save', () => {
  test('overwrites no file', async () => {
    writeFileSync(file, 'a backup');
    const { code, err } = await lockstep(['snapshot', 'save', file]);
    expect([code, err]).toEqual([1, expect.stringContaining(`${file} is there already`)]);
    expect(readFileSync(file, 'utf8')).toBe('a backup');
  });

  test.each<[string, Answer, RegExp]>([
    ['is refused', (_request, response) => say(response, 403, { errors: ['permission denied'] }), /permission denied/],
    ['breaks off', giving(sample.subarray(0, 1000), sample.length), /broke off/],
    ['ends early', giving(sample.subarray(0, 1000)), /cut short/],
    [
      'is changed on the way',
      giving(Buffer.from(sample.toString('latin1').replace('recorded', 'recordet'), 'latin1')),
      /hash differs/,
    ],
    ['is no snapshot', giving(Buffer.from('<html>')), /no saved snapshot/],
    ['is no file at all', (_request, response) => say(response, 200, { a: 1 }), /is no file/],
  ])('leaves nothing of what %s', async (_what, answer, message) => {
    const { code, err } = await lockstep(['snapshot', 'save', file], await node(answer));
    expect([code, err]).toEqual([2, expect.stringMatching(message)]);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('that another save is writing already is left alone', async () => {
    writeFileSync(`${file}.part`, 'half');
    const { code, err } = await lockstep(['snapshot', 'save', file], await node(giving(sample)));
    expect([code, err]).toEqual([1, expect.stringContaining('EEXIST')]);
    expect(readFileSync(`${file}.part`, 'utf8')).toBe('half');
  });

  test('keeps what came, for its owner alone, and tells what it is', async () => {
    let token: unknown;
    const address = await node((request, response) => {
      token = request.headers['x-vault-token'];
      giving(sample)(request, response);
    });
    const { code, out } = await lockstep(['snapshot', 'save', file], address);
    expect([code, token]).toEqual([0, 'token']);
    expect(readFileSync(file).equals(sample)).toBe(true);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(out).toMatch(/cluster_id +recorded-v2\n/);
    expect(out).toMatch(/checksums +all hold\n/);
  });
});

describe('inspect', () => {
  test.each<[string, Uint8Array | undefined, RegExp]>([
    ['is not there', undefined, /ENOENT/],
    ['is cut', sample.subarray(0, -1), /cut short/],
    ['goes on', Buffer.concat([sample, sample]), /after its end/],
  ])('refuses a file that %s', async (_what, data, message) => {
    if (data !== undefined) writeFileSync(file, data);
    const { code, err } = await lockstep(['snapshot', 'inspect', file]);
    expect([code, err]).toEqual([1, expect.stringMatching(message)]);
  });

  test("is found where Vault's users look for it, too", async () => {
    writeFileSync(file, sample);
    const { code, out } = await lockstep(['operator', 'raft', 'snapshot', 'inspect', file]);
    expect([code, out]).toEqual([0, expect.stringMatching(/checksums +all hold/)]);
  });

  test('needs no node, no key and no token', async () => {
    writeFileSync(file, sample);
    const { code, out } = await lockstep(['snapshot', 'inspect', '-format=json', file]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      file_bytes: sample.length,
      file_sha256: sample.subarray(-32).toString('hex'),
      cluster_id: 'recorded-v2',
      term: 1,
      fact_version: 1,
      seal_type: 'static',
    });
  });
});

describe('restore', () => {
  const leads = (address?: string): object =>
    address === undefined ? { is_self: true, leader_address: '' } : { is_self: false, leader_address: address };

  test('sends nothing that is no snapshot', async () => {
    writeFileSync(file, sample.subarray(0, 500));
    const { code, err } = await lockstep(['snapshot', 'restore', file]);
    expect([code, err]).toEqual([1, expect.stringMatching(/cut short/)]);
  });

  test('sends no byte to a node that refuses it', async () => {
    writeFileSync(file, sample);
    let bytes = 0;
    const address = await node((request, response) => {
      if (request.url === '/v1/sys/leader') return say(response, 200, leads());
      request.on('data', (data: Buffer) => (bytes += data.length));
      say(response, 403, { errors: ['permission denied'] });
    });
    const { code, err } = await lockstep(['snapshot', 'restore', file], address);
    expect([code, bytes, err]).toEqual([2, 0, expect.stringContaining('permission denied')]);
  });

  test('goes to the leader, by its own path with force, and says when unsealing is due', async () => {
    writeFileSync(file, sample);
    const got: { readonly url: string | undefined; readonly isWhole: boolean }[] = [];
    const leader = await node((request, response) => {
      response.writeContinue();
      void buffer(request).then((body) => {
        got.push({ url: request.url, isWhole: body.equals(sample) });
        const sealed = request.url !== route;
        say(response, 200, { request_id: 'r', data: { index: 9, snapshot_index: 4, sealed } });
      });
    });
    const follower = await node((_request, response) => say(response, 200, leads(leader)));
    const plain = await lockstep(['snapshot', 'restore', file], follower);
    expect([plain.code, plain.out]).toEqual([0, expect.stringMatching(/^sealed +false$/m)]);
    const forced = await lockstep(['snapshot', 'restore', '-force', file], follower);
    expect([forced.code, forced.out]).toEqual([0, expect.stringContaining('Every node is sealed now.')]);
    expect(got).toEqual([
      { url: route, isWhole: true },
      { url: `${route}-force`, isWhole: true },
    ]);
  });

  test('whose answer is lost may have happened, and says so', async () => {
    writeFileSync(file, sample);
    const address = await node((request, response) => {
      if (request.url === '/v1/sys/leader') return say(response, 200, leads());
      response.writeContinue();
      request.resume().on('end', () => response.destroy());
    });
    const { code, err } = await lockstep(['snapshot', 'restore', file], address);
    expect([code, err]).toEqual([2, expect.stringContaining('It may have been done or not')]);
  });
});
