import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCycle } from './find-cycle.ts';
import { folderRules, layers, runtimeDependenciesMax, serverImportersInCli, testPackages } from './layers.ts';
import { filesWith, importsOf, isTest, memberOf, resolveImport, root, sourceFiles } from './source-tree.ts';

interface Edge {
  readonly from: string;
  readonly line: number;
  readonly specifier: string;
  /** A path from the root, or the specifier itself for what is not ours. */
  readonly to: string;
  readonly isType: boolean;
}

const files = sourceFiles();
const paths = new Set([...files.map((file) => file.path), ...filesWith(['.proto', '.json'], ['protos'])]);
const edges: readonly Edge[] = files.flatMap((file) =>
  importsOf(file).map(({ specifier, line, isType }) => {
    return { from: file.path, line, specifier, to: resolveImport(file.path, specifier) ?? specifier, isType };
  }),
);
const ours = edges.filter((edge) => edge.to !== edge.specifier);
const foreign = edges.filter((edge) => edge.to === edge.specifier && !edge.specifier.startsWith('node:'));
const members = Object.keys(layers);

interface Manifest {
  readonly name: string;
  readonly dependencies?: { readonly [name: string]: string };
  readonly devDependencies?: { readonly [name: string]: string };
}
function manifestOf(member: string): Manifest {
  const folder = ['protos', 'benchmarks'].includes(member) ? member : join('packages', member);
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
}
const withManifest = members.filter((member) => member !== 'scripts');

function say(wrong: readonly Edge[]): readonly string[] {
  return wrong.map((edge) => `${edge.from}:${edge.line} imports ${edge.specifier}`);
}

/** The name of a package in a specifier: `@a/b/c` is of `@a/b`, `d/e` of `d`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function mayImport(from: string, to: string): boolean {
  const member = memberOf(to);
  const module = to.replace(/^packages\/[^/]+\/src\//, '').replace(/\.ts$/, '');
  return (
    memberOf(from) === member ||
    (layers[memberOf(from)] ?? []).some((entry) => entry === member || entry === `${member}/${module}`)
  );
}

describe('the table of layers', () => {
  it('has every package, and only packages that exist', () => {
    const found = new Set(filesWith(['package.json'], ['packages', 'protos', 'benchmarks']).map(memberOf));
    expect([...found, 'scripts'].sort()).toEqual(members.toSorted());
  });

  it('has no cycle', () => {
    const graph = new Map(
      members.map((name) => [name, (layers[name] ?? []).map((entry) => entry.split('/')[0] ?? '')]),
    );
    expect(findCycle(graph)).toBeUndefined();
  });
});

describe('imports', () => {
  it('lead to files that exist', () => {
    expect(say(ours.filter((edge) => !paths.has(edge.to)))).toEqual([]);
  });

  it('of packages go only where the table says', () => {
    expect(say(ours.filter((edge) => !mayImport(edge.from, edge.to)))).toEqual([]);
  });

  it('go from package to package by name, never by a relative path', () => {
    const crossing = ours.filter((edge) => edge.specifier.startsWith('.') && memberOf(edge.from) !== memberOf(edge.to));
    const exempt = (edge: Edge): boolean => memberOf(edge.from) === 'scripts';
    expect(say(crossing.filter((edge) => !exempt(edge)))).toEqual([]);
  });

  it('of other people’s packages are declared where they are used', () => {
    const undeclared = foreign.filter((edge) => {
      const name = packageOf(edge.specifier);
      if (memberOf(edge.from) === 'scripts') return !testPackages.has(name);
      const { dependencies = {}, devDependencies = {} } = manifestOf(memberOf(edge.from));
      if (name in dependencies) return false;
      return !isTest(edge.from) || !(testPackages.has(name) || name in devDependencies);
    });
    expect(say(undeclared)).toEqual([]);
  });

  it.each(folderRules)('of $folder stay within its rule: $because', (rule) => {
    const within = edges.filter((edge) => edge.from.startsWith(rule.folder) && (rule.isForTests || !isTest(edge.from)));
    expect(say(within.filter((edge) => !rule.mayImport.some((allowed) => allowed.test(edge.to))))).toEqual([]);
  });

  it('of the server come, in the command line, only from what starts a node', () => {
    const cli = ours.filter((edge) => memberOf(edge.from) === 'cli' && memberOf(edge.to) === 'server');
    expect(say(cli.filter((edge) => !serverImportersInCli.some((allowed) => allowed.test(edge.from))))).toEqual([]);
  });

  it('make no cycle of files', () => {
    const graph = new Map<string, string[]>(files.map((file) => [file.path, []]));
    for (const edge of ours) if (!edge.isType) graph.get(edge.from)?.push(edge.to);
    expect(findCycle(graph)).toBeUndefined();
  });
});

describe('package.json', () => {
  it.each(withManifest)('of %s depends only on what the table allows', (member) => {
    const { name, dependencies = {}, devDependencies = {} } = manifestOf(member);
    expect(name).toBe(`@lockstep/${member}`);
    const own = Object.keys({ ...dependencies, ...devDependencies }).filter((other) => other.startsWith('@lockstep/'));
    const allowed = (layers[member] ?? []).map((entry) => `@lockstep/${entry.split('/')[0]}`);
    expect(own.filter((other) => !allowed.includes(other))).toEqual([]);
  });

  it.each(withManifest)('of %s names what it imports of ours, and nothing that it does not import', (member) => {
    const { dependencies = {}, devDependencies = {} } = manifestOf(member);
    const used = (of: (edge: Edge) => boolean): readonly string[] => [
      ...new Set(
        edges.filter((edge) => memberOf(edge.from) === member && of(edge)).map((edge) => packageOf(edge.specifier)),
      ),
    ];
    // The protos are files, found by their package's place instead of imported.
    const found = sourceFiles()
      .filter(
        ({ path, text }) => memberOf(path) === member && text.includes("resolve('@lockstep/protos/package.json')"),
      )
      .map(() => '@lockstep/protos');
    const inSource = [...used((edge) => !isTest(edge.from) && !edge.specifier.startsWith('.')), ...found];
    const anywhere = used((edge) => !edge.specifier.startsWith('.'));
    const typesOf = (name: string): boolean => name.startsWith('@types/') && anywhere.includes(name.slice(7));
    expect(Object.keys(dependencies).filter((name) => !inSource.includes(name))).toEqual([]);
    expect(Object.keys(devDependencies).filter((name) => !anywhere.includes(name) && !typesOf(name))).toEqual([]);
    const declared = { ...dependencies, ...devDependencies };
    expect(anywhere.filter((name) => name.startsWith('@lockstep/') && !(name in declared))).toEqual([]);
  });

  it('files together have few runtime dependencies', () => {
    const names = withManifest
      .filter((member) => member !== 'benchmarks')
      .flatMap((member) => Object.keys(manifestOf(member).dependencies ?? {}));
    const runtime = new Set(names.filter((name) => !name.startsWith('@lockstep/')));
    expect(runtime.size, [...runtime].join(', ')).toBeLessThanOrEqual(runtimeDependenciesMax);
  });
});
