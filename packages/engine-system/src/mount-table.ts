import type { MountView } from '@lockstep/contract/engine';
import { MountId, NamespaceId } from '@lockstep/contract/ids';
import { memoise, type ReadableState } from '@lockstep/contract/state';
import type { MountRecord } from './facts.ts';
import { mountsKey } from './keys.ts';
import { defaultTtlSeconds } from './limits.ts';
import { storedMounts } from './stored-mounts.ts';

/** The mount table, ready to be looked up. */
export interface MountTable {
  /** In order of path. */
  readonly mounts: readonly MountRecord[];
  readonly byPath: ReadonlyMap<string, MountRecord>;
  readonly byId: ReadonlyMap<string, MountRecord>;
}

type TableState = Pick<ReadableState, 'get'>;

const emptyTable: MountTable = { mounts: [], byPath: new Map(), byId: new Map() };

const parseTable = memoise((bytes): MountTable => {
  const { mounts } = storedMounts.decode(bytes);
  return {
    mounts,
    byPath: new Map(mounts.map((mount) => [mount.path, mount])),
    byId: new Map(mounts.map((mount) => [mount.id, mount])),
  };
});

/** Parsed once for as long as the table is unchanged. */
export function readMountTable(state: TableState): MountTable {
  const stored = state.get(mountsKey);
  return stored === undefined ? emptyTable : parseTable(stored);
}

export interface FoundMount {
  readonly kind: string;
  readonly view: MountView;
}

/** The mount that a request's path (`pki/issue/web`, or `pki` itself) lies in; mounts never lie within each other. */
export function mountAt(state: TableState, path: string): FoundMount | undefined {
  const mount = mountRecordAt(state, path);
  return mount === undefined ? undefined : { kind: mount.kind, view: viewOf(mount) };
}

export function mountRecordAt(state: TableState, path: string): MountRecord | undefined {
  const { byPath } = readMountTable(state);
  let end = path.indexOf('/');
  for (;;) {
    const mount = byPath.get(end < 0 ? `${path}/` : path.slice(0, end + 1));
    if (mount !== undefined || end < 0) return mount;
    end = path.indexOf('/', end + 1);
  }
}

/** For apply: which engine a mount's facts belong to; undefined once the mount is disabled. */
export function kindOfMount(state: TableState, id: string): string | undefined {
  return readMountTable(state).byId.get(id)?.kind;
}

const views = new WeakMap<MountRecord, MountView>();

function viewOf(mount: MountRecord): MountView {
  const known = views.get(mount);
  if (known !== undefined) return known;
  const view = {
    id: MountId(mount.id),
    namespace: NamespaceId(mount.namespace),
    path: mount.path,
    options: Object.fromEntries(mount.options.map(({ key, value }) => [key, value])),
    defaultLeaseTtlSeconds: mount.defaultLeaseTtlSeconds || defaultTtlSeconds,
    maxLeaseTtlSeconds: mount.maxLeaseTtlSeconds || defaultTtlSeconds,
  };
  views.set(mount, view);
  return view;
}
