import type { Runtime } from 'node:inspector';

/** What a node, or its client, spends its time on. */
export type Part = (typeof parts)[number];

/** In the order of a request's life; what is left at the end. */
export const parts = [
  'client',
  'sockets and tls',
  'door http',
  'door grpc',
  'request',
  'fields and codec',
  'token and policy',
  'handler',
  'key and signature',
  'der',
  'audit',
  'metrics',
  'transaction',
  'raft',
  'peers',
  'log',
  'seal',
  'apply',
  'state',
  'timers and promises',
  'other',
  'gc',
  'native',
] as const;

interface Rule {
  /** A part of the module's address. */
  readonly from: string;
  readonly part: Part;
  /** Below these parts the time stays theirs: a library that both use. */
  readonly unlessFor?: readonly Part[];
}

// The first that matches decides. What Node and the libraries do for somebody (hash, encode, write) counts as that somebody's.
const rules: readonly Rule[] = [
  { from: '/packages/client/', part: 'client' },
  { from: '/benchmarks/', part: 'client' },
  { from: '/server/src/doors/http/', part: 'door http' },
  { from: '/server/src/doors/json-body', part: 'door http' },
  { from: '/server/src/doors/grpc/', part: 'door grpc' },
  { from: '/server/src/doors/', part: 'request' },
  { from: '/contract/src/fields', part: 'fields and codec' },
  { from: '/contract/src/wire', part: 'fields and codec' },
  { from: '/packages/auth/', part: 'token and policy' },
  { from: '/packages/policy/', part: 'token and policy' },
  { from: '/server/src/caller-acl', part: 'token and policy' },
  { from: '/server/src/admit', part: 'token and policy' },
  { from: '/server/src/resolve-mount', part: 'token and policy' },
  { from: '/contract/src/route-table', part: 'token and policy' },
  { from: '/engine-system/src/mount-table', part: 'token and policy' },
  { from: '/engine-pki/src/apply', part: 'apply' },
  { from: '/engine-pki/src/generate-key', part: 'key and signature' },
  { from: '/engine-pki/src/sign-der', part: 'key and signature' },
  { from: '/engine-pki/src/der', part: 'der' },
  { from: '/engine-pki/src/leaf', part: 'der' },
  { from: '/engine-pki/src/extensions', part: 'der' },
  { from: '/engine-pki/src/general-names', part: 'der' },
  { from: '/engine-pki/src/subject', part: 'der' },
  { from: '/engine-pki/src/pem', part: 'der' },
  { from: '/packages/engine-pki/', part: 'handler' },
  { from: '/packages/audit/', part: 'audit' },
  { from: '/server/src/audited-requests', part: 'audit' },
  { from: '/prom-client/', part: 'metrics' },
  { from: '/server/src/metrics', part: 'metrics' },
  { from: '/server/src/transaction', part: 'transaction' },
  { from: '/server/src/positions', part: 'transaction' },
  { from: '/core/src/peers/', part: 'peers' },
  { from: '/core/src/log/', part: 'log' },
  { from: '/packages/core/', part: 'raft' },
  { from: '/packages/seal/', part: 'seal' },
  { from: '/server/src/state/', part: 'state' },
  { from: '/server/src/machine', part: 'apply' },
  { from: '/server/src/apply-', part: 'apply' },
  { from: '/packages/server/', part: 'request' },
  { from: '/@grpc/', part: 'door grpc', unlessFor: ['peers', 'client'] },
  { from: 'node:internal/http2', part: 'door grpc', unlessFor: ['peers', 'client'] },
  { from: 'node:http2', part: 'door grpc', unlessFor: ['peers', 'client'] },
  { from: 'node:_http', part: 'door http', unlessFor: ['client'] },
];

/** What a function's own time counts as, when its caller's counts as `callersPart`; undefined for what nobody called. */
export function partOf(frame: Runtime.CallFrame, callersPart: Part | undefined): Part | undefined {
  if (frame.functionName === '(garbage collector)') return 'gc';
  if (frame.functionName === '(program)') return 'native';
  const rule = rules.find(({ from }) => frame.url.includes(from));
  if (rule === undefined) return callersPart ?? startedBy(frame);
  return callersPart !== undefined && rule.unlessFor?.includes(callersPart) === true ? callersPart : rule.part;
}

/** What the event loop calls first: a socket that has something, a timer, a promise that goes on. */
function startedBy(frame: Runtime.CallFrame): Part | undefined {
  if (/^node:(net|tls|_tls|internal\/(stream|tls|js_stream))/.test(frame.url)) return 'sockets and tls';
  return frame.url.startsWith('node:') ? 'timers and promises' : undefined;
}

/** Neither work nor rest of the program: waiting for something to do, and the inspector itself. */
export function isOutside(frame: Runtime.CallFrame): boolean {
  return frame.functionName === '(idle)' || frame.url === 'node:inspector';
}
