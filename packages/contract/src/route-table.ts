import type { Operation, Route } from './engine.ts';

export interface RouteMatch<Fact> {
  readonly route: Route<Fact>;
  readonly parameters: { readonly [name: string]: string };
}

/** What a path leads to: a route, a path that exists for other operations only, or nothing. */
export type RouteLookup<Fact> =
  | { readonly kind: 'found'; readonly match: RouteMatch<Fact> }
  | { readonly kind: 'other-operations' }
  | { readonly kind: 'none' };

interface CompiledRoute<Fact> {
  readonly route: Route<Fact>;
  readonly segments: readonly string[];
  readonly takesRest: boolean;
}

/** Finds routes by path. Literal segments win over parameters, earlier rows over later ones. */
export class RouteTable<Fact> {
  readonly #compiled: readonly CompiledRoute<Fact>[];

  constructor(routes: readonly Route<Fact>[]) {
    const literalCount = (route: Route<Fact>): number => route.path.split('/').filter((s) => !s.startsWith(':')).length;
    this.#compiled = routes
      .map((route) => ({
        route,
        segments: route.path === '' ? [] : route.path.split('/'),
        takesRest: route.path.endsWith('*'),
      }))
      .sort((a, b) => literalCount(b.route) - literalCount(a.route));
  }

  /** `path` is relative to the mount, without a leading slash, already decoded and checked. */
  find(operation: Operation, path: string): RouteLookup<Fact> {
    const segments = path === '' ? [] : path.replace(/\/$/, '').split('/');
    let pathExists = false;
    for (const compiled of this.#compiled) {
      const parameters = match(compiled, segments);
      if (parameters === undefined) continue;
      if (compiled.route.operation === operation)
        return { kind: 'found', match: { route: compiled.route, parameters } };
      pathExists = true;
    }
    return { kind: pathExists ? 'other-operations' : 'none' };
  }
}

function match<Fact>(
  compiled: CompiledRoute<Fact>,
  segments: readonly string[],
): { [name: string]: string } | undefined {
  const { segments: wanted, takesRest } = compiled;
  if (takesRest ? segments.length < wanted.length - 1 : segments.length !== wanted.length) return undefined;
  const parameters: { [name: string]: string } = {};
  for (let i = 0; i < wanted.length; i++) {
    const want = wanted[i] ?? '';
    const rest = takesRest && i === wanted.length - 1;
    const got = rest ? segments.slice(i).join('/') : (segments[i] ?? '');
    if (want.startsWith(':')) parameters[rest ? want.slice(1, -1) : want.slice(1)] = got;
    else if (want !== got) return undefined;
  }
  return parameters;
}
