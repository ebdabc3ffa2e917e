/** Where a rule of tidy-rules.ts makes a place worse, and why. One that is no longer needed fails the test. */
export interface TidyException {
  readonly rule: string;
  readonly path: string;
  readonly because: string;
}

export const tidyExceptions: readonly TidyException[] = [
  {
    rule: 'file-length',
    path: 'packages/core/src/node.ts',
    because: 'the driver is one loop: the reader follows a turn from top to bottom',
  },
  {
    rule: 'environment',
    path: 'packages/server/src/dev/node-process.ts',
    because: 'a node process inherits the environment of the command that starts it',
  },
  {
    rule: 'clock-and-chance',
    path: 'packages/client/src/grpc-channel.ts',
    because: 'grpc-js takes deadlines by the wall clock',
  },
  {
    rule: 'clock-and-chance',
    path: 'packages/server/src/dev/cluster-files.ts',
    because: 'makes certificates for a real cluster now',
  },
  {
    rule: 'clock-and-chance',
    path: 'packages/server/src/open-node.ts',
    because: 'opens a real node: here the real clock is given to all others',
  },
  {
    rule: 'skipped-test',
    path: 'packages/core/src/raft/etcd-cases/cases.test.ts',
    because: 'the name says where the cases were looked for',
  },
  {
    rule: 'skipped-test',
    path: 'packages/engine-pki/src/verify-csr.test.ts',
    because: 'the name says that openssl makes the requests',
  },
  {
    rule: 'silenced-lint',
    path: 'packages/simulator/src/check/observe-core.ts',
    because: 'wraps a method of the core to watch it',
  },
  {
    rule: 'inheritance',
    path: 'packages/server/src/doors/grpc/tls-credentials.ts',
    because: 'grpc-js takes server settings only from its own class',
  },
  {
    rule: 'inheritance',
    path: 'packages/core/src/peers/pinned-credentials.ts',
    because: 'grpc-js takes connections of our own making only from its own class',
  },
  {
    rule: 'inheritance',
    path: 'packages/server/src/doors/http/list-verb.ts',
    because: 'a stream of Node is made by extending Duplex',
  },
];

/** Programs and modules that nothing imports, since something else starts or loads them. */
export const entryPoints: readonly { readonly path: RegExp; readonly because: string }[] = [
  { path: /\.test\.ts$/, because: 'vitest runs it' },
  { path: /\.fixture\.ts$/, because: 'a test starts it as a process' },
  { path: /\/main\.ts$/, because: 'a program' },
  { path: /^scripts\/(run|setup)\.mjs$/, because: 'package.json starts it, on whatever Node there is' },
  { path: /^scripts\/(test|fix|demo|examples|record)\.ts$/, because: 'package.json starts it' },
  { path: /^scripts\/unit-tests\.ts$/, because: 'scripts/test.ts starts it as a process of its own' },
  { path: /^scripts\/grpc\.ts$/, because: 'scripts/grpc starts it' },
];
