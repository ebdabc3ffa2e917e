import type { Profiler } from 'node:inspector';
import { isOutside, type Part, partOf } from './parts.ts';

/** The share of the working time (0 to 1) that each part has. */
export type Shares = ReadonlyMap<Part, number>;

/** Adds up a profile's own times. Each function counts towards one part, by its module or, where that says nothing, by its caller's. */
export function sumByPart(profile: Profiler.Profile): Shares {
  const partByNode = partsOf(profile.nodes);
  const microseconds = new Map<Part, number>();
  let total = 0;
  profile.samples?.forEach((node, at) => {
    const part = partByNode.get(node);
    if (part === undefined) return;
    const spent = profile.timeDeltas?.[at] ?? 0;
    total += spent;
    microseconds.set(part, (microseconds.get(part) ?? 0) + spent);
  });
  return new Map([...microseconds].map(([part, spent]) => [part, spent / total]));
}

/** By node id; nothing for the nodes that are outside of the program. */
function partsOf(nodes: readonly Profiler.ProfileNode[]): ReadonlyMap<number, Part> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const found = new Map<number, Part>();
  const root = nodes[0];
  const waiting: { readonly node: Profiler.ProfileNode; readonly callers: Part | undefined }[] =
    root === undefined ? [] : [{ node: root, callers: undefined }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const part = partOf(next.node.callFrame, next.callers);
    if (!isOutside(next.node.callFrame)) found.set(next.node.id, part ?? 'other');
    for (const id of next.node.children ?? []) {
      const node = byId.get(id);
      if (node !== undefined) waiting.push({ node, callers: part });
    }
  }
  return found;
}
