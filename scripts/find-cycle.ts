/** A cycle in a graph, as the names along it with the first one again at the end; undefined where there is none. */
export function findCycle(graph: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  for (const start of graph.keys()) {
    const cycle = cycleFrom(graph, start, { path: [], done });
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

function cycleFrom(
  graph: ReadonlyMap<string, readonly string[]>,
  name: string,
  walk: { readonly path: string[]; readonly done: Set<string> },
): readonly string[] | undefined {
  const { path, done } = walk;
  if (path.includes(name)) return [...path.slice(path.indexOf(name)), name];
  if (done.has(name)) return undefined;
  path.push(name);
  for (const next of graph.get(name) ?? []) {
    const cycle = cycleFrom(graph, next, walk);
    if (cycle !== undefined) return cycle;
  }
  path.pop();
  done.add(name);
  return undefined;
}
