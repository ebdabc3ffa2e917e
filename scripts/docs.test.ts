import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { layers } from './layers.ts';
import { filesWith, root } from './source-tree.ts';

const rootPages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'];
const pages = [
  ...rootPages,
  ...filesWith(['README.md'], ['packages', 'protos', 'benchmarks', 'deploy']),
  ...filesWith(['.md'], ['docs']),
];
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const manifest: { readonly scripts: { readonly [name: string]: string } } = JSON.parse(read('package.json'));

const architectureLinesMax = 250;
/** npm's own, which stand in for `npm run …`. */
const npmVerbs = new Set(['test', 'start']);

/** Paths from the root in backticks or code: `scripts/layers.ts`, `packages/core`, `.ci/run`. */
function pathsIn(text: string): readonly string[] {
  const found = text.matchAll(/(?<![\w/@.-])((?:packages|scripts|protos|deploy|benchmarks|\.ci)\/[\w./*<>-]*\w)/g);
  return [...found].map(([, path = '']) => path).filter((path) => !/[*<]/.test(path));
}

/** A path may leave out the extension of its file. */
const isThere = (path: string): boolean => existsSync(join(root, path)) || existsSync(join(root, `${path}.ts`));

describe.each(pages)('%s', (page) => {
  const text = read(page);

  it('names only commands that exist', () => {
    const run = [...text.matchAll(/\bnpm run ([\w-]+)/g)].map(([, name = '']) => name);
    const verbs = [...text.matchAll(/\bnpm (test|start)\b/g)].map(([, name = '']) => name);
    expect([...run, ...verbs].filter((name) => !(name in manifest.scripts))).toEqual([]);
    expect(verbs.every((verb) => npmVerbs.has(verb))).toBe(true);
  });

  it('names only paths that exist', () => {
    expect(pathsIn(text).filter((path) => !isThere(path))).toEqual([]);
  });

  it('links only to what exists', () => {
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target = '']) => target);
    const folder = join(page, '..');
    expect(links.filter((target) => !existsSync(join(root, folder, target)))).toEqual([]);
  });
});

describe('the figures in README.md', () => {
  const rows = [...read('README.md').matchAll(/^\| \w+ \| ([\d,]+) \| (\d+) ms \| `npm run bench -- ([^`]*)` \|$/gm)];

  it('are those of the results, each with the command that measured it', () => {
    expect(rows.length).toBeGreaterThanOrEqual(2);
    for (const [, rate = '', p99 = '', command = ''] of rows) {
      const { bench, door, seconds, ...result } = resultOf(command);
      expect(`${bench} --seconds ${seconds} --door ${door}`).toBe(command);
      expect([rate, p99]).toEqual([String(result.rate_per_second), String(Math.round(result.p99_ms))]);
    }
  });
});

interface BenchResult {
  readonly bench: string;
  readonly door: string;
  readonly seconds: number;
  readonly rate_per_second: number;
  readonly p99_ms: number;
}

function resultOf(command: string): BenchResult {
  const [name = '', , , , door = ''] = command.split(' ');
  return JSON.parse(read(`benchmarks/results/${name}-${door}.json`));
}

describe('package.json', () => {
  it('starts only files that exist', () => {
    const files = Object.values(manifest.scripts).flatMap((command) => command.match(/\S+\.(?:ts|mjs)/g) ?? []);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});

describe('ARCHITECTURE.md', () => {
  const text = read('ARCHITECTURE.md');

  it('can be read in one sitting', () => {
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(architectureLinesMax);
  });

  it('has every package in its map', () => {
    const map = text.slice(text.indexOf('## Code map'), text.indexOf('## Invariants'));
    expect(Object.keys(layers).filter((member) => !map.includes(`**${member}**`))).toEqual([]);
  });

  it('gives a reason for every runtime dependency', () => {
    const decisions = text.slice(text.indexOf('## Decisions'));
    const names = filesWith(['package.json'], ['packages']).flatMap((path) => {
      const { dependencies = {} }: { readonly dependencies?: { readonly [name: string]: string } } = JSON.parse(
        read(path),
      );
      return Object.keys(dependencies).filter((name) => !name.startsWith('@lockstep/'));
    });
    expect([...new Set(names)].filter((name) => !decisions.includes(`\`${name}\``))).toEqual([]);
  });
});
