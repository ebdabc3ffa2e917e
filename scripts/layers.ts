/**
 * Who may import whom. `contract` stands for all of its modules, `contract/ids` for that one. Nothing here may be reached
 * through a third package: what a package uses, it names. layers.test.ts holds package.json files and sources to this.
 */
export const layers: { readonly [member: string]: readonly string[] } = {
  protos: [],
  contract: [],

  // Consensus knows nothing of secrets.
  core: ['contract/ids', 'contract/errors'],

  // Extensions know the contract and their own facts, never each other.
  policy: ['contract', 'protos'],
  auth: ['contract', 'protos'],
  seal: ['contract', 'protos'],
  audit: ['contract', 'protos'],
  'engine-system': ['contract', 'protos'],
  'engine-kv': ['contract', 'protos'],
  'engine-pki': ['contract', 'protos'],

  // A node is where all of them meet.
  server: ['contract', 'core', 'policy', 'auth', 'seal', 'audit', 'engine-system', 'engine-kv', 'engine-pki', 'protos'],

  // Outside of a node there are only the protos. The command line starts nodes as well.
  client: ['protos'],
  cli: ['client', 'protos', 'server'],

  // These look into a node on purpose.
  simulator: ['contract', 'core', 'server'],
  benchmarks: ['client', 'contract', 'core', 'engine-pki', 'protos', 'server', 'simulator'],
  scripts: ['benchmarks', 'client', 'contract', 'protos', 'server'],
};

/** Folders with a rule of their own, tests included unless it says otherwise. */
export interface FolderRule {
  readonly folder: string;
  readonly mayImport: readonly RegExp[];
  readonly isForTests: boolean;
  readonly because: string;
}

export const folderRules: readonly FolderRule[] = [
  {
    folder: 'packages/core/src/raft/',
    mayImport: [/^packages\/core\/src\/raft\//, /^packages\/contract\/src\/(ids|errors)\.ts$/],
    isForTests: false,
    because: 'the protocol is pure: no node:, no package, nothing of the driver around it',
  },
  {
    folder: 'packages/contract/src/',
    mayImport: [/^packages\/contract\/src\//, /^node:(crypto|util)$/],
    isForTests: false,
    because: 'an extension is written against it, so it brings nothing along',
  },
];

/** Of the command line, only what starts a node, works on its disk, or reads what one saved, may know what a node is made of. */
export const serverImportersInCli: readonly RegExp[] = [
  /^packages\/cli\/src\/(.*\/)?(server|dev)(-command)?\.ts$/,
  /^packages\/cli\/src\/commands\/(snapshot|cluster-disk|cluster-recover)\.ts$/,
];

/** Installed at the root for tests and checks of every package. */
export const testPackages: ReadonlySet<string> = new Set(['vitest', 'fast-check', 'protobufjs']);

/** More runtime dependencies than this can't be read by whoever answers for a secrets store. */
export const runtimeDependenciesMax = 10;
