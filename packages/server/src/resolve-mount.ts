import { tokenEngine } from '@lockstep/auth/token/engine';
import type { Engine, MountView, Operation } from '@lockstep/contract/engine';
import { type MountId, rootNamespace } from '@lockstep/contract/ids';
import { RouteTable } from '@lockstep/contract/route-table';
import { systemEngine } from '@lockstep/engine-system/engine';
import { mountAt } from '@lockstep/engine-system/mount-table';
import { policyEngine } from '@lockstep/policy/engine';
import * as engines from './engines.ts';
import type { Host } from './host.ts';
import { hostMount, policyMount, systemMount, tokenMount } from './mounts.ts';

/** Where a request's path leads. */
export interface ResolvedMount {
  readonly view: MountView;
  readonly engine: Engine;
  readonly routes: RouteTable<Uint8Array>;
  /** The path within the mount. */
  readonly relativePath: string;
}

interface FixedMount {
  readonly path: string;
  readonly id: MountId;
  readonly engine: Engine;
}

// The policies' paths lie under sys/, as clients expect; so its routes are looked at before the system's own.
const fixedMounts: readonly FixedMount[] = [
  { path: 'auth/token/', id: tokenMount, engine: tokenEngine },
  { path: 'sys/', id: policyMount, engine: policyEngine },
  { path: 'sys/', id: systemMount, engine: systemEngine },
];

/** Vault's default_lease_ttl and max_lease_ttl: 768 hours. */
const defaultTtlSeconds = 768 * 3600;

const tables = new WeakMap<Engine, RouteTable<Uint8Array>>();
function routesOf(engine: Engine): RouteTable<Uint8Array> {
  const known = tables.get(engine) ?? new RouteTable(engine.routes);
  tables.set(engine, known);
  return known;
}

const enginesByKind: ReadonlyMap<string, Engine> = new Map(
  Object.values(engines).map((engine) => [engine.kind, engine]),
);

/** Longest path first; undefined where nothing is mounted. */
export function resolveMount(host: Host, operation: Operation, path: string): ResolvedMount | undefined {
  const asked = `${path}/`;
  const hosts = [
    { path: 'sys/', id: hostMount, engine: host.ownRoutes },
    { path: 'sys/', id: systemMount, engine: host.memberRoutes },
  ];
  const candidates = [...hosts, ...fixedMounts].filter((mount) => asked.startsWith(mount.path));
  const fixed =
    candidates.find(
      (mount) => routesOf(mount.engine).find(operation, path.slice(mount.path.length)).kind === 'found',
    ) ?? candidates.at(-1);
  if (fixed !== undefined) return resolved(fixedView(fixed), fixed.engine, path);
  const mount = mountAt(host.state(systemMount), path);
  if (mount === undefined) return undefined;
  const engine = enginesByKind.get(mount.kind);
  return engine === undefined ? undefined : resolved(mount.view, engine, path);
}

function fixedView(mount: FixedMount): MountView {
  const ttl = { defaultLeaseTtlSeconds: defaultTtlSeconds, maxLeaseTtlSeconds: defaultTtlSeconds };
  return { id: mount.id, namespace: rootNamespace, path: mount.path, options: {}, ...ttl };
}

function resolved(view: MountView, engine: Engine, path: string): ResolvedMount {
  return { view, engine, routes: routesOf(engine), relativePath: path.slice(view.path.length) };
}

/** Which engine a mount's facts belong to: the fixed ones by their ids, the others by their kind in the mount table. */
export function engineOfMount(id: MountId, kindOf: (id: MountId) => string | undefined): Engine | undefined {
  const fixed = fixedMounts.find((mount) => mount.id === id);
  if (fixed !== undefined) return fixed.engine;
  const kind = kindOf(id);
  return kind === undefined ? undefined : enginesByKind.get(kind);
}
