import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const packages = new URL('../../../', import.meta.url);
const table = readFileSync(new URL('simulator/SCENARIOS.md', packages), 'utf8');
const rows = [...table.matchAll(/^\| (.+) \| `(.+)` \| (.+) \|$/gm)].map(([, scenario = '', file = '', name = '']) => {
  return { scenario, file, name };
});

test('the table has the scenarios of every chapter', () => {
  expect(rows.length).toBeGreaterThan(50);
});

test('every row of a table was read', () => {
  const lines = table.split('\n').filter((line) => line.startsWith('| ') && !/^\| (scenario|---) \|/.test(line));
  expect(rows).toHaveLength(lines.length);
});

test.each(rows)('$scenario: $name', ({ file, name }) => {
  expect(testsIn(readFileSync(new URL(file, packages), 'utf8')).filter((test) => test.endsWith(name))).toHaveLength(1);
});

/** The names of the tests in a file, also of those in a table, and of the scenarios of leases. None that is skipped. */
function testsIn(source: string): readonly string[] {
  const calls = /^ *(?:(?:test|it|describe)(?:\.each\([\s\S]*?\))?\(\s*|)(['"`])(.+?)\1(?:,| ?: \(\) =>|\])/gm;
  return [...source.matchAll(calls)].map(([, , name = '']) => name);
}
