import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PeerNetwork } from './peer-network.ts';

// Two places of which `b` listens and `a` dials: the weather is the pair's, each way by itself.
let network: PeerNetwork;
let server: Server;
let atB: Promise<Socket>;
const sockets: Socket[] = [];

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true });
  atB = new Promise((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.12', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const places = [
    { name: 'a', source: '127.0.0.11', listens: { host: '127.0.0.11', port: 1 } },
    { name: 'b', source: '127.0.0.12', listens: { host: '127.0.0.12', port } },
  ];
  network = await PeerNetwork.open(places, () => 0.5);
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await network.close();
  server.close();
});

interface End {
  readonly socket: Socket;
  readonly heard: () => string;
}

function end(socket: Socket): End {
  let text = '';
  socket.on('data', (bytes: Buffer) => (text += bytes.toString()));
  socket.on('error', () => undefined);
  sockets.push(socket);
  return { socket, heard: () => text };
}

function dial(source: string): Socket {
  const [host = '', port = ''] = network.addressOf('b').split(':');
  return connect({ host, port: Number(port), localAddress: source });
}

async function connected(): Promise<{ readonly a: End; readonly b: End }> {
  const a = end(dial('127.0.0.11'));
  return { a, b: end(await atB) };
}

test('in fair weather everything passes, both ways', async () => {
  const { a, b } = await connected();
  a.socket.write('to b');
  b.socket.write('to a');
  await expect.poll(() => [a.heard(), b.heard()]).toEqual(['to a', 'to b']);
});

test('a cut holds one way back, and only that one; nothing is lost when it ends', async () => {
  const { a, b } = await connected();
  network.set('a', 'b', { kind: 'cut' });
  a.socket.write('held');
  b.socket.write('answer');
  await expect.poll(() => [a.heard(), network.counts.held]).toEqual(['answer', 1]);
  expect(b.heard()).toBe('');
  network.heal();
  await expect.poll(() => b.heard()).toBe('held');
});

test('the end of a connection is held back as well', async () => {
  const { a, b } = await connected();
  let hasEnded = false;
  b.socket.on('end', () => (hasEnded = true));
  network.setAround('a', 'from', { kind: 'cut' });
  a.socket.end('last words');
  b.socket.write('answer');
  await expect.poll(() => [a.heard(), network.counts.held]).toEqual(['answer', 2]);
  expect(hasEnded).toBe(false);
  network.heal();
  await expect.poll(() => [b.heard(), hasEnded]).toEqual(['last words', true]);
});

test('delay and loss keep the order, and are counted', async () => {
  const { a, b } = await connected();
  network.set('a', 'b', { kind: 'delay', ms: 20, spreadMs: 0 });
  a.socket.write('1');
  await expect.poll(() => network.counts.delayed).toBe(1);
  network.set('a', 'b', { kind: 'loss', chance: 1, stallMs: 20 });
  a.socket.write('2');
  await expect.poll(() => network.counts.lost).toBe(1);
  network.heal();
  a.socket.write('3');
  await expect.poll(() => b.heard()).toBe('123');
});

test('a reset breaks both ends', async () => {
  const { a, b } = await connected();
  const closed = Promise.all([a, b].map(({ socket }) => new Promise((resolve) => socket.once('close', resolve))));
  network.reset('b', 'a');
  await closed;
  expect(network.counts.resets).toBe(1);
});

test('whoever dials from elsewhere is let in nowhere', async () => {
  const stranger = end(dial('127.0.0.99'));
  await new Promise((resolve) => stranger.socket.once('close', resolve));
  expect(network.counts).toMatchObject({ refused: 1, connections: 0 });
});
