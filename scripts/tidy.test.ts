import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { importsOf, isTest, resolveImport, root, sourceFile, sourceFiles } from './source-tree.ts';
import { entryPoints, tidyExceptions } from './tidy-exceptions.ts';
import { linesMax, tidyRules } from './tidy-rules.ts';

const files = sourceFiles();
const isExcepted = (rule: string, path: string): boolean =>
  tidyExceptions.some((exception) => exception.rule === rule && exception.path === path);

describe('the code', () => {
  it.each(tidyRules)('$name: $because', ({ name, check }) => {
    const found = files
      .filter((file) => !isExcepted(name, file.path))
      .flatMap((file) => check(file).map(({ line, what }) => `${file.path}:${line}: ${what}`));
    expect(found).toEqual([]);
  });

  it('has no exception that it does not need', () => {
    const unneeded = tidyExceptions.filter(({ rule, path }) => {
      const file = files.find((one) => one.path === path);
      const check = tidyRules.find((one) => one.name === rule)?.check;
      return file === undefined || check === undefined || check(file).length === 0;
    });
    expect(unneeded).toEqual([]);
  });
});

/** A worker thread loads the module by its address, and calls the export by its name. */
const calledByName: readonly string[] = ['generateRsaKey'];

describe('dead code', () => {
  const imported = new Set(
    files.flatMap((file) => importsOf(file).map(({ specifier }) => resolveImport(file.path, specifier))),
  );

  it('there is no file that nothing imports or starts', () => {
    const dead = files.filter(({ path }) => !imported.has(path) && !entryPoints.some((entry) => entry.path.test(path)));
    expect(dead.map((file) => file.path)).toEqual([]);
  });

  it('there is no export that stands only where it is declared', () => {
    const counts = new Map<string, number>();
    for (const { bare } of files) {
      for (const [word] of bare.matchAll(/[\w$]+/g)) counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    const declared = /^export (?:async )?(?:const|let|function\*?|class|type|interface) ([\w$]+)/gm;
    const dead = files.flatMap(({ path, bare }) =>
      [...bare.matchAll(declared)]
        .filter(([, name = '']) => counts.get(name) === 1 && !calledByName.includes(name))
        .map(([, name]) => `${path}: ${name}`),
    );
    expect(dead).toEqual([]);
  });
});

describe('the lock file', () => {
  const lock = readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8');

  it('names no address, only integrity hashes', () => {
    expect(lock.match(/\S*:\/\/\S*|tarball:.*|resolved:.*/g) ?? []).toEqual([]);
    const packages = lock.slice(lock.indexOf('\npackages:'), lock.indexOf('\nsnapshots:'));
    const resolutions = packages.match(/^ {4}resolution: .*$/gm) ?? [];
    expect(resolutions.length).toBeGreaterThan(50);
    expect(resolutions.filter((line) => !/\{integrity: sha512-[\w+/=]+\}/.test(line))).toEqual([]);
  });
});

describe('a rule finds what it is there for', () => {
  const source = 'packages/seal/src/example.ts';
  const test = 'packages/seal/src/example.test.ts';
  const samples: readonly (readonly [rule: string, path: string, text: string])[] = [
    ['file-length', source, '\n'.repeat(linesMax) + 'x'],
    ['file-name', 'packages/seal/src/seal-utils.ts', ''],
    ['file-name', 'packages/seal/src/lease-manager.test.ts', ''],
    ['file-name', 'packages/seal/src/data.ts', ''],
    ['file-name', 'packages/seal/src/LeaseExpiry.ts', ''],
    ['export-star', source, "export * from './a.ts';"],
    ['default-export', source, 'export default 1;'],
    ['environment', source, "const home = process.env['HOME'];"],
    ['determinism', 'packages/engine-kv/src/apply.ts', 'const now = Date.now();'],
    ['determinism', 'packages/engine-kv/src/apply.ts', "import { hash } from 'node:crypto';"],
    ['determinism', 'packages/core/src/raft/raft.ts', 'setTimeout(tick, 1);'],
    ['determinism', 'packages/core/src/raft/raft.ts', 'async function step() {}'],
    ['clock-and-chance', source, 'const id = Math.random();'],
    ['sealing', source, "const cipher = createCipheriv('aes-256-gcm', key, iv);"],
    ['console', source, 'console.log(key);'],
    ['waiting-in-tests', test, 'await new Promise((done) => { setTimeout(done, 50); });'],
    ['waiting-in-tests', test, 'setTimeout(() => { check(); }, 1_000);'],
    ['waiting-in-tests', test, 'await setTimeout(100);'],
    ['waiting-in-tests', test, 'await sleep(500);'],
    ['mocks', test, "vi.mock('./storage.ts');"],
    ['skipped-test', test, "it.skip('later', () => {});"],
    ['skipped-test', test, "describe.skipIf(isRoot)('disk', () => {});"],
    ['open-end', source, `// TO${'DO'}: later`],
    ['open-end', source, `// FIX${'ME'} soon`],
    ['silenced-compiler', source, `// @ts${'-'}ignore`],
    ['silenced-lint', source, `// oxlint${'-'}disable-next-line no-console`],
    ['swallowed-error', source, `try { open(); } catch ${'{}'}`],
    ['swallowed-error', source, `try { open(); } catch (error) ${'{ }'}`],
    ['dead-code', source, '  // const before = read(key);'],
    ['inheritance', source, 'class Sealed extends Barrier {}'],
    ['module-state', source, 'let opened = 0;'],
    ['double-cast', source, 'const key = value as unknown as Key;'],
  ];
  it.each(samples)('%s in %s: %s', (rule, path, text) => {
    expect(tidyRules.find(({ name }) => name === rule)?.check(sourceFile(path, text))).toHaveLength(1);
  });

  it('and nothing in what is allowed', () => {
    const allowed = [
      sourceFile(
        source,
        'class Refusal extends LockstepError {}\n// TODO(#12): the other seals\nconst a = "console.log(1)";',
      ),
      sourceFile(source, '/** Instead of Math.random(), see random.ts */\nexport const sealTtl = setTtl(500);'),
      sourceFile(source, 'try { close(); } catch { /* it is closed */ }'),
      sourceFile(
        test,
        'clock.sleep(500);\nsetTimeout(done, 0);\nsetTimeout(() => f(500), 10);\ncontext.skip("no openssl");',
      ),
      sourceFile('packages/seal/src/database.ts', ''),
    ];
    for (const file of allowed)
      expect(tidyRules.filter(({ check }) => check(file).length > 0).map(({ name }) => name)).toEqual([]);
  });

  it('every rule has a sample', () => {
    expect(tidyRules.map(({ name }) => name).filter((name) => !samples.some(([rule]) => rule === name))).toEqual([]);
  });

  it('tests are told from sources', () => {
    expect([isTest(test), isTest(source)]).toEqual([true, false]);
  });
});
