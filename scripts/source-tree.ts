import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { blankComments } from './blank-comments.ts';

export const root: string = join(import.meta.dirname, '..');

export interface SourceFile {
  /** From the root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The text with blanks for comments; strings stand. Lines and columns are those of the text. */
  readonly code: string;
  /** The text with blanks for comments and for what is inside strings. */
  readonly bare: string;
}

export interface Import {
  readonly specifier: string;
  readonly line: number;
  /** Erased at run time. */
  readonly isType: boolean;
}

const memberFolders = ['packages', 'benchmarks', 'scripts', 'protos'];
const skipped: ReadonlySet<string> = new Set(['node_modules', 'dist', '.git', '.lockstep']);

/** Every file below the folders, by extension; paths from the root in a fixed order. */
export function filesWith(
  extensions: readonly string[],
  folders: readonly string[] = memberFolders,
): readonly string[] {
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name);
      if (entry.isDirectory() && !skipped.has(entry.name)) walk(path);
      else if (entry.isFile() && extensions.some((extension) => entry.name.endsWith(extension))) found.push(path);
    }
  };
  for (const folder of folders) if (existsSync(join(root, folder))) walk(folder);
  return found.sort();
}

export function sourceFile(path: string, text: string): SourceFile {
  return { path, text, code: blankComments(text, 'comments'), bare: blankComments(text, 'comments-and-strings') };
}

export function sourceFiles(): readonly SourceFile[] {
  return filesWith(['.ts', '.mjs']).map((path) => sourceFile(path, readFileSync(join(root, path), 'utf8')));
}

/** What a file imports or re-exports, names by `new URL(…, import.meta.url)`, or loads by `import(…)`. */
export function importsOf(file: SourceFile): readonly Import[] {
  const patterns = [
    /^[ \t]*(?:import|export)\s+(?<type>type\s)?(?:[\w$*\s{},]+?\sfrom\s+)?(?<quote>['"])(?<specifier>[^'"\n]+)\k<quote>/gm,
    /\bimport(?:\.meta\.resolve)?\((?<type>)\s*(?<quote>['"])(?<specifier>[^'"\n]+)\k<quote>/g,
    /\bnew URL\((?<type>)\s*(?<quote>['"])(?<specifier>\.[^'"\n]+\.(?:ts|mjs))\k<quote>,\s*import\.meta\.url/g,
  ];
  return patterns.flatMap((pattern) =>
    [...file.code.matchAll(pattern)].map((match) => ({
      specifier: match.groups?.['specifier'] ?? '',
      line: lineAt(file.code, match.index),
      isType: (match.groups?.['type'] ?? '') !== '',
    })),
  );
}

export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** The file that an import leads to, by path from the root; undefined for what is not of this repository. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(from), specifier);
  const own = /^@lockstep\/([^/]+)\/(.+)$/.exec(specifier);
  if (own === null) return undefined;
  const [, member = '', module = ''] = own;
  if (member === 'protos') return posix.join('protos', module);
  const folder = member === 'benchmarks' ? 'benchmarks' : posix.join('packages', member);
  return posix.join(folder, 'src', `${module}.ts`);
}

/** Tests, and what they start as processes of their own. */
export function isTest(path: string): boolean {
  return /\.(test|fixture)\.(ts|mjs)$/.test(path);
}

/** `packages/core/src/node.ts` belongs to `core`, `scripts/test.ts` to `scripts`. */
export function memberOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  return first === 'packages' ? second : first;
}
