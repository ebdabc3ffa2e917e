import { expect, it } from 'vitest';
import { MemoryState } from './memory-state.ts';
import { memoise } from './state.ts';

it('a memoised parser runs once for a value, and again once the value was written anew', () => {
  let runs = 0;
  const parse = memoise((bytes) => ({ text: Buffer.from(bytes).toString(), run: (runs += 1) }));
  const state = new MemoryState();
  const read = (): unknown => parse(state.readable.get('k') ?? new Uint8Array(0));
  const write = (text: string): void => state.transact(1, (writable) => writable.put('k', Buffer.from(text)));
  write('a');
  expect([read(), read()]).toEqual([
    { text: 'a', run: 1 },
    { text: 'a', run: 1 },
  ]);
  write('a');
  expect(read()).toEqual({ text: 'a', run: 2 });
});
