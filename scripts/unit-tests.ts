// Runs vitest and writes what came of it: node scripts/unit-tests.ts RESULT-FILE [PATH …]
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { type Reporter, startVitest, type TestModule } from 'vitest/node';

/** What RESULT-FILE holds. `skipped` has one line for each test that did not run, with its reason. */
export interface UnitTestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
}

interface Failure {
  readonly message: string;
  readonly stack?: string | undefined;
  readonly diff?: string | undefined;
}

/** Enough of a stack to find the place; the rest is vitest. */
const stackLinesMax = 6;
const diffLinesMax = 40;

function printFailure(where: string, { message, stack, diff }: Failure): void {
  console.log(`FAILED  ${where}\n        ${message.split('\n').slice(0, diffLinesMax).join('\n        ')}`);
  if (diff !== undefined) console.log(indented(diff, diffLinesMax));
  const frames = (stack ?? '')
    .split('\n')
    .filter((line) => /^\s*at /.test(line) && !/node_modules|<anonymous>/.test(line));
  if (frames.length > 0) console.log(indented(frames.join('\n').replaceAll(`${process.cwd()}/`, ''), stackLinesMax));
}

function indented(text: string, linesMax: number): string {
  const lines = text.split('\n').map((line) => `        ${line.trimEnd()}`);
  return lines.slice(0, linesMax).join('\n');
}

/** Without a note the reason may stand in the test's name, after a colon. */
function skippedLine(name: string, note: string | undefined): string {
  return note === undefined && name.includes(': ') ? name : `${name}: ${note ?? 'no reason given'}`;
}

function countModule(module: TestModule): UnitTestCounts {
  const file = relative(process.cwd(), module.moduleId);
  let passed = 0;
  let failed = 0;
  const skipped: string[] = [];
  for (const error of module.errors()) {
    failed += 1;
    printFailure(file, error);
  }
  for (const suite of module.children.allSuites()) {
    for (const error of suite.errors()) {
      failed += 1;
      printFailure(`${file} > ${suite.fullName}`, error);
    }
  }
  for (const test of module.children.allTests()) {
    const result = test.result();
    const name = `${file} > ${test.fullName}`;
    if (result.state === 'passed') passed += 1;
    else if (result.state === 'skipped') skipped.push(skippedLine(name, result.note));
    else {
      failed += 1;
      const errors = result.errors ?? [{ message: 'did not finish' }];
      for (const error of errors) printFailure(name, error);
    }
  }
  const tally = [
    `${passed} passed`,
    failed > 0 ? `${failed} failed` : '',
    skipped.length > 0 ? `${skipped.length} skipped` : '',
  ];
  const seconds = (module.diagnostic().duration / 1000).toFixed(1);
  console.log(
    `${failed > 0 ? 'FAIL' : 'ok  '}  ${file}  ${tally.filter((part) => part !== '').join(', ')}, ${seconds} s`,
  );
  return { passed, failed, skipped };
}

function reporterInto(resultFile: string): Reporter {
  const counts: UnitTestCounts[] = [];
  const reported = new Set<string>();
  const count = (module: TestModule): void => {
    if (reported.has(module.moduleId)) return;
    reported.add(module.moduleId);
    counts.push(countModule(module));
  };
  return {
    onTestModuleEnd: count,
    onTestRunEnd: (modules, unhandled) => {
      modules.forEach(count);
      for (const error of unhandled) printFailure('outside of any test', error);
      const total: UnitTestCounts = {
        passed: counts.reduce((sum, module) => sum + module.passed, 0),
        failed: counts.reduce((sum, module) => sum + module.failed, unhandled.length),
        skipped: counts.flatMap((module) => module.skipped),
      };
      writeFileSync(resultFile, JSON.stringify(total));
    },
  };
}

const [resultFile, ...paths] = process.argv.slice(2);
if (resultFile === undefined) {
  console.error('usage: node scripts/unit-tests.ts RESULT-FILE [PATH …]');
  process.exit(2);
}
const vitest = await startVitest('test', paths, { run: true, watch: false, reporters: [reporterInto(resultFile)] });
await vitest.close();
