// What `npm test` runs: types, lint, format, then every test. `npm test -- PATH …` runs only the tests of these paths.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runStep, type Step, type StepResult, stopSteps } from './run-step.ts';
import type { UnitTestCounts } from './unit-tests.ts';

const root = join(import.meta.dirname, '..');
/** The whole takes less than five minutes on two cores; what takes twice as long hangs. */
const testsTimeoutMs = 10 * 60_000;
const checkTimeoutMs = 3 * 60_000;

function tool(name: string): string {
  return join(root, 'node_modules', '.bin', name);
}

function checkSteps(env: NodeJS.ProcessEnv): readonly Step[] {
  const check = { timeoutMs: checkTimeoutMs, env, output: 'onFailure' } as const;
  return [
    { ...check, name: 'types', command: tool('tsc'), args: ['-b', '--pretty', 'false'] },
    { ...check, name: 'lint', command: tool('oxlint'), args: ['--type-aware', '-c', 'oxlint.json', '--deny-warnings'] },
    { ...check, name: 'format', command: tool('biome'), args: ['format', '--colors=off', '--reporter=summary'] },
  ];
}

function outcome(result: StepResult): string {
  if (result.kind === 'not-started') return `did not start: ${result.reason}`;
  return result.kind === 'timed-out' ? `stopped after ${result.seconds} s` : `${result.seconds} s`;
}

async function passes(step: Step): Promise<boolean> {
  const result = await runStep(step);
  const passed = result.kind === 'exited' && result.code === 0;
  console.log(`${passed ? 'ok  ' : 'FAIL'}  ${step.name}, ${outcome(result)}`);
  return passed;
}

async function runTests(env: NodeJS.ProcessEnv, resultFile: string, paths: readonly string[]): Promise<UnitTestCounts> {
  const args = [join(root, 'scripts', 'unit-tests.ts'), resultFile, ...paths];
  const result = await runStep({
    name: 'tests',
    command: process.execPath,
    args,
    timeoutMs: testsTimeoutMs,
    env,
    output: 'live',
  });
  const counts = readCounts(resultFile);
  if (counts === undefined) {
    console.log(`FAIL  the tests ended without a result, ${outcome(result)}`);
    return { passed: 0, failed: 1, skipped: [] };
  }
  const isEmpty = counts.passed + counts.failed + counts.skipped.length === 0;
  const ended = result.kind === 'exited' && (result.code === 0 || counts.failed > 0) && !isEmpty;
  if (!ended) console.log(`FAIL  ${isEmpty ? 'no test ran' : 'the test runner itself'}, ${outcome(result)}`);
  return { ...counts, failed: counts.failed + (ended ? 0 : 1) };
}

function readCounts(file: string): UnitTestCounts | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // No file, or half of one: the runner died.
    return undefined;
  }
}

function stopOnSignal(temporary: string): void {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => {
      stopSteps('SIGKILL');
      rmSync(temporary, { recursive: true, force: true });
      process.exit(code);
    });
  }
}

async function main(): Promise<number> {
  const paths = process.argv.slice(2);
  const option = paths.find((path) => path.startsWith('-'));
  if (option !== undefined) {
    console.error(`unknown option ${option}; usage: npm test [-- PATH …]`);
    return 2;
  }
  process.chdir(root);
  const temporary = mkdtempSync(join(tmpdir(), 'lockstep-test-'));
  stopOnSignal(temporary);
  // Everything a test leaves behind lies under one folder, which goes at the end.
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1', TMPDIR: temporary };
  delete env['FORCE_COLOR'];
  try {
    const checks: boolean[] = [];
    for (const step of checkSteps(env)) checks.push(await passes(step));
    const tests = await runTests(env, join(temporary, 'result.json'), paths);
    const passed = tests.passed + checks.filter((passed) => passed).length;
    const failed = tests.failed + checks.filter((passed) => !passed).length;
    for (const line of tests.skipped) console.log(`skipped  ${line}`);
    console.log(
      `${passed} passed, ${failed} failed${tests.skipped.length > 0 ? `, ${tests.skipped.length} skipped` : ''}`,
    );
    return failed > 0 || tests.passed === 0 ? 1 : 0;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

process.exitCode = await main();
