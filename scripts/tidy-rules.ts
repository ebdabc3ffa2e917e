import { posix } from 'node:path';
import { isTest, lineAt, type SourceFile } from './source-tree.ts';

/** What CONTRIBUTING.md asks for and a search through the text can tell. */
export interface TidyRule {
  readonly name: string;
  readonly because: string;
  /** What is wrong in a file; empty when nothing is. */
  readonly check: (file: SourceFile) => readonly Finding[];
}

export interface Finding {
  readonly line: number;
  readonly what: string;
}

export const linesMax = 400;
/** A test that waits this long by the clock is slow on a good day and flaky on a bad one. */
const waitMsMin = 50;

const bannedWords: ReadonlySet<string> = new Set(
  'util utils helper helpers common misc shared base manager managers service services info stuff handler2'.split(' '),
);

/** Programs that people start; they print. */
const printing = [/^scripts\//, /^packages\/cli\//, /^benchmarks\//, /^packages\/simulator\/src\/(.*\/)?main\.ts$/];
const isPrinting = (path: string): boolean => printing.some((place) => place.test(path));

/** Every node must fold a log into the same state, and a simulated run must go the same way twice. */
const isDeterministic = (path: string): boolean =>
  !isTest(path) && (/\/apply(-transaction)?\.ts$/.test(path) || path.startsWith('packages/core/src/raft/'));

function findAll(file: SourceFile, text: 'bare' | 'code' | 'text', pattern: RegExp): readonly Finding[] {
  return [...file[text].matchAll(pattern)].map((match) => {
    return { line: lineAt(file[text], match.index), what: match[0].trim().split('\n')[0] ?? '' };
  });
}

interface SearchRule {
  readonly name: string;
  readonly because: string;
  /** `bare` has neither comments nor strings, `code` no comments. */
  readonly in: 'bare' | 'code' | 'text';
  readonly pattern: RegExp;
  readonly where?: (path: string) => boolean;
}

function search({ name, because, in: text, pattern, where = () => true }: SearchRule): TidyRule {
  return { name, because, check: (file) => (where(file.path) ? findAll(file, text, pattern) : []) };
}

export const tidyRules: readonly TidyRule[] = [
  {
    name: 'file-length',
    because: `a file over ${linesMax} lines is two things`,
    check: ({ path, text }) => {
      const lines = text.trimEnd().split('\n').length;
      return isTest(path) || lines <= linesMax ? [] : [{ line: lines, what: `${lines} lines` }];
    },
  },
  {
    name: 'file-name',
    because: 'a file that cannot be named after a thing should not exist',
    check: ({ path }) => {
      const stem = posix.basename(path).replace(/(\.test|\.fixture)?\.(ts|mjs)$/, '');
      if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.config)?$/.test(stem)) return [{ line: 1, what: `${stem} is not kebab-case` }];
      const banned = stem.split('-').find((word) => bannedWords.has(word)) ?? (stem === 'data' ? stem : undefined);
      return banned === undefined ? [] : [{ line: 1, what: `"${banned}" says nothing` }];
    },
  },
  search({
    name: 'export-star',
    because: 'a reader must see where a name comes from',
    in: 'bare',
    pattern: /^export \*.*/gm,
  }),
  search({
    name: 'default-export',
    because: 'a thing has one name',
    in: 'bare',
    pattern: /^export default\b.*/gm,
    where: (path) => !path.endsWith('.config.ts'),
  }),
  search({
    name: 'environment',
    because: 'settings are read in one place, so that they can be listed',
    in: 'bare',
    pattern: /\bprocess\.env\b.*/g,
    where: (path) =>
      path !== 'packages/server/src/config.ts' && !/^(packages\/cli|scripts|benchmarks)\//.test(path) && !isTest(path),
  }),
  {
    name: 'determinism',
    because: 'every replica must come to the same state, and every seed to the same run',
    check: (file) => {
      if (!isDeterministic(file.path)) return [];
      const impure =
        /\b(Date\.now|new Date\(\)|Math\.random|performance\.now|set(Timeout|Interval|Immediate)|await|async)\b.*/g;
      return [...findAll(file, 'bare', impure), ...findAll(file, 'code', /['"]node:[^'"]+['"]/g)];
    },
  },
  search({
    name: 'clock-and-chance',
    because: 'clock and randomness are arguments; only where a program starts are they made',
    in: 'bare',
    pattern: /\b(Date\.now|new Date\(\)|Math\.random)\b.*/g,
    where: (path) => !isTest(path) && !isPrinting(path) && !isDeterministic(path) && !path.endsWith('/main.ts'),
  }),
  search({
    name: 'sealing',
    because: 'what is encrypted, with which nonce and bound to what, is decided in one file',
    in: 'bare',
    pattern: /\bcreate(C|Dec)ipheriv\b.*/g,
    where: (path) => path !== 'packages/seal/src/aead.ts',
  }),
  search({
    name: 'console',
    because: 'a library does not print',
    in: 'bare',
    pattern: /\bconsole\.\w+.*/g,
    where: (path) => !isPrinting(path),
  }),
  {
    name: 'waiting-in-tests',
    because: 'a test waits for a condition, or moves its own clock',
    check: (file) => (isTest(file.path) ? longWaits(file) : []),
  },
  search({
    name: 'mocks',
    because: 'tests use real or in-memory implementations',
    in: 'bare',
    pattern: /\bvi\.(mock|doMock|spyOn|useFakeTimers)\b.*/g,
    where: isTest,
  }),
  search({
    name: 'skipped-test',
    because: 'a test that cannot run says why: context.skip(reason)',
    in: 'bare',
    pattern: /\b(it|test|describe)(\.\w+)*\.(skip|skipIf|runIf|todo|only)\b.*/g,
    where: isTest,
  }),
  search({
    name: 'open-end',
    because: 'what is left open stands in an issue, which the comment names: TODO(#12)',
    in: 'text',
    pattern: /\b(?:TO[D]O\b(?!\(#\d+\))|FIX[M]E|HAC[K]|XX[X])\b.*/g,
  }),
  search({
    name: 'silenced-compiler',
    because: 'the compiler is right, or the type is wrong',
    in: 'text',
    pattern: /\/[/*]\s*@ts-\w+.*/g,
  }),
  search({
    name: 'silenced-lint',
    because: 'whoever switches a rule off says why: oxlint-disable-next-line rule -- reason',
    in: 'text',
    pattern: /oxlint-disable(?!.* -- \S).*/g,
    where: (path) => !path.startsWith('scripts/tidy'),
  }),
  search({
    name: 'swallowed-error',
    because: 'an error is caught to add meaning, to clean up, or at a door; a comment says why else',
    in: 'text',
    pattern: /\bcatch\s*(\([^)]*\))?\s*\{\s*\}/g,
  }),
  search({
    name: 'dead-code',
    because: 'history is in git',
    in: 'text',
    pattern:
      /^\s*\/\/ (?:(?:const|let|return|import|export|await|throw) .*;|(?:if|for|while) \(.*\{|\}|[\w.]+\(.*\);)$/gm,
  }),
  search({
    name: 'inheritance',
    because: 'only errors inherit',
    in: 'bare',
    pattern: /\bclass \w+(<[^>]*>)? extends (?!\w*Error\b).*/g,
  }),
  search({
    name: 'module-state',
    because: 'state belongs to an object that main.ts makes',
    in: 'bare',
    pattern: /^(export )?(let|var)\b.*/gm,
    where: (path) => !isTest(path),
  }),
  search({
    name: 'double-cast',
    because: 'a type that needs two casts is the wrong type',
    in: 'bare',
    pattern: /\bas (unknown|any) as\b.*/g,
  }),
];

/** Calls of setTimeout (of either kind), sleep and the like whose time is written out. */
function longWaits({ bare }: SourceFile): readonly Finding[] {
  return [...bare.matchAll(/(?<![.\w])(setTimeout|sleep|delay)\(/g)].flatMap((match) => {
    const args = argumentsAt(bare, match.index + match[0].length);
    const isLong = args.some((arg) => /^\d[\d_]*$/.test(arg) && Number(arg.replaceAll('_', '')) >= waitMsMin);
    return isLong ? [{ line: lineAt(bare, match.index), what: `${match[0]}${args.at(-1)})` }] : [];
  });
}

/** The arguments of a call, as text, from just after its opening parenthesis. */
function argumentsAt(text: string, from: number): readonly string[] {
  const args: string[] = [];
  let depth = 0;
  let start = from;
  for (let i = from; i < text.length && depth >= 0; i++) {
    const character = text[i] ?? '';
    if ('([{'.includes(character)) depth += 1;
    else if (')]}'.includes(character)) depth -= 1;
    if (depth < 0 || (depth === 0 && character === ',')) {
      args.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  return args;
}
