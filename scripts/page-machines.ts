import { once } from 'node:events';
import { createServer } from 'node:http';
import type { KeptNode } from '@lockstep/server/members/kept-nodes.fixture';

/** Where a page's `systemctl` is asked instead: /start, /stop or /restart, and the name of a machine. */
export interface PageMachines {
  readonly address: string;
  readonly close: () => void;
}

/** Stands for the machines of a page: starts and stops their nodes when the page says so. */
export async function pageMachines(named: (name: string) => KeptNode): Promise<PageMachines> {
  const act = async (verb: string | undefined, { process }: KeptNode): Promise<void> => {
    if (verb !== 'start') await process.stop();
    if (verb !== 'stop') process.start();
  };
  const server = createServer((request, response) => {
    const [, verb, name = ''] = (request.url ?? '').split('/');
    void act(verb, named(name)).then(() => response.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return { address: `http://127.0.0.1:${address.port}`, close: () => server.close() };
}
