import { readFileSync } from 'node:fs';

/** A `.cpuprofile`, as V8's profiler writes it: what this file reads of it. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** Which part of the road a file belongs to; the first that fits. What fits none belongs to who called it. */
const parts: readonly (readonly [part: string, fits: RegExp])[] = [
  ['doors', /packages\/server\/src\/doors\/|@grpc\/(grpc-js|proto-loader)|protobufjs/],
  ['peers', /packages\/core\/src\/peers\//],
  ['log', /packages\/core\/src\/log\//],
  ['consensus', /packages\/core\/src\//],
  ['token and policy', /packages\/(auth|policy)\/src\//],
  ['certificate', /packages\/engine-pki\/src\//],
  ['audit', /packages\/audit\/src\/|server\/src\/audited-requests/],
  ['seal', /packages\/seal\/src\//],
  ['state and apply', /packages\/server\/src\/(state\/|apply|machine|positions)|(classic|abstract)-level/],
  ['request', /packages\/(server|contract)\/src\//],
  ['client', /packages\/client\/src\/|benchmarks\/src\//],
];
/** What the event loop calls first: sockets wake up there, before any file of ours. */
const sockets = /^node:(net|tls|_tls|http|https|_http|http2|internal\/(http2|stream|streams|tls|js_stream))/;

/** Shares of the main thread's busy time, by part of the road; idle time is left out. They add up to 1. */
export function profileParts(file: string): { readonly [part: string]: number } {
  const { nodes, samples, timeDeltas }: CpuProfile = JSON.parse(readFileSync(file, 'utf8'));
  const partById = new Map<number, string>();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const assign = (root: number): void => {
    const waiting: (readonly [id: number, above: string])[] = [[root, 'event loop']];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [id, above] = next;
      const node = byId.get(id);
      if (node === undefined) continue;
      const part = partOf(node.callFrame, above);
      partById.set(id, part);
      for (const child of node.children ?? []) waiting.push([child, part]);
    }
  };
  const [root] = nodes;
  if (root !== undefined) assign(root.id);
  const times = new Map<string, number>();
  samples.forEach((id, at) => {
    const part = partById.get(id) ?? 'event loop';
    times.set(part, (times.get(part) ?? 0) + (timeDeltas[at] ?? 0));
  });
  times.delete('idle');
  const busy = [...times.values()].reduce((sum, time) => sum + time, 0);
  const rows = [...times].toSorted(([, a], [, b]) => b - a);
  return Object.fromEntries(rows.map(([part, time]) => [part, busy === 0 ? 0 : time / busy]));
}

function partOf(frame: { readonly functionName: string; readonly url: string }, above: string): string {
  if (frame.functionName === '(idle)') return 'idle';
  if (frame.functionName === '(garbage collector)') return 'garbage collection';
  if (frame.functionName === '(program)') return 'native code';
  const found = parts.find(([, fits]) => fits.test(frame.url));
  if (found !== undefined) return found[0];
  return above === 'event loop' && sockets.test(frame.url) ? 'sockets and TLS' : above;
}
