import { expect, test } from 'vitest';
import { askedFor, fileName, receiptName } from './restores.ts';

test('files and receipts are asked for by names that no other snapshot has', () => {
  const id = 'ef'.repeat(32);
  expect(askedFor(fileName(id))).toEqual({ kind: 'file', id });
  expect(askedFor(receiptName(id))).toEqual({ kind: 'receipt', id });
  for (const name of ['', id, `${'7'.padStart(16, '0')}-${id}`, `saved/${id}0`, `saved/../${id}`, `held/${id}\n`])
    expect(askedFor(name)).toBeUndefined();
});
