import type { DevNode } from '@lockstep/server/dev/dev-cluster';
import type { ProxiedCluster } from '../chaos/proxied-cluster.ts';
import { isStopped, unreadBytes } from '../chaos/process-state.ts';

/** What is the matter with one node while the change is made through another. */
export const hindrances = ['none', 'paused', 'paused leader', 'lagging', 'lagging leader'] as const;
export type Hindrance = (typeof hindrances)[number];

export interface Hindered {
  readonly node: DevNode;
  /** Resolves when what was asked lies unread in the node's sockets. Only for a paused node. */
  readonly requestsAreIn: () => Promise<void>;
  readonly release: () => void;
}

const withinMs = 5_000;

export async function hinder(to: ProxiedCluster, kind: Hindrance, node: DevNode): Promise<Hindered | undefined> {
  switch (kind) {
    case 'none':
      return undefined;
    case 'paused':
    case 'paused leader':
      return await pause(node);
    case 'lagging':
    case 'lagging leader':
      to.network.setAround(node.name, 'to', { kind: 'cut' });
      return { node, requestsAreIn: () => Promise.resolve(), release: () => to.network.heal() };
    default:
      return kind satisfies never;
  }
}

async function pause(node: DevNode): Promise<Hindered> {
  const { pid } = node.process;
  if (pid === undefined) throw new Error(`${node.name} is not running`);
  node.process.pause();
  await until(`${node.name} to stop`, () => isStopped(pid));
  const ports = [node.http, node.grpc].map((address) => Number(address.slice(address.lastIndexOf(':') + 1)));
  const before = ports.map(unreadBytes);
  return {
    node,
    requestsAreIn: () =>
      until(`the requests to reach ${node.name}`, () =>
        ports.every((port, at) => unreadBytes(port) > (before[at] ?? 0)),
      ),
    release: () => node.process.resume(),
  };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
