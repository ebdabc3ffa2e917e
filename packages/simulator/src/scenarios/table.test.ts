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

test.each(rows)('$scenario: $name', ({ file, name }) => {
  const source = readFileSync(new URL(file, packages), 'utf8');
  expect(source).toContain(name);
});
