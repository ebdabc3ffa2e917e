import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const host = '127.0.0.1';

/** Below the ports that a system gives out by itself, so that a node which starts again finds its own free. */
const basePorts = { least: 10_000, most: 30_000 } as const;

/** For what runs side by side with others of its kind: they hardly ever meet. */
export function anyBasePort(): number {
  return randomInt(basePorts.least, basePorts.most);
}

/** Ports for `count` nodes: base, base+1, base+2 for HTTP, peers and gRPC, ten apart; where one is taken, free ones instead. */
export async function pickPorts(
  count: number,
  basePort: number,
): Promise<readonly { readonly http: number; readonly peer: number; readonly grpc: number }[]> {
  const picked: { http: number; peer: number; grpc: number }[] = [];
  for (let node = 0; node < count; node++) {
    const base = basePort + node * 10;
    picked.push({ http: await usable(base), peer: await usable(base + 1), grpc: await usable(base + 2) });
  }
  return picked;
}

async function usable(port: number): Promise<number> {
  return (await canListen(port)) ?? (await canListen(0)) ?? port;
}

function canListen(port: number): Promise<number | undefined> {
  if (port > 65_535) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, host, () => {
      const address = server.address();
      const found = typeof address === 'object' && address !== null ? address.port : undefined;
      server.close(() => resolve(found));
    });
  });
}
