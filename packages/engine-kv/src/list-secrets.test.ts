import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LockstepError } from '@lockstep/contract/errors';
import type { Decision } from '@lockstep/contract/engine';
import type { KeyRange } from '@lockstep/contract/state';
import { type TriedEngine, tryEngine } from '@lockstep/contract/try-engine';
import { kv } from './engine.ts';
import { metadataKey } from './keys.ts';
import { listedMax, listPageKeys } from './limits.ts';

function mountWith(paths: readonly string[]): TriedEngine {
  const tried = tryEngine(kv, { random: randomBytes });
  tried.state.transact(1, (state) => {
    for (const path of paths) state.put(metadataKey(path), new Uint8Array(0));
  });
  return tried;
}

/** The engine's own list over a state that only has keys. */
async function listOver(
  keys: (range: KeyRange) => Promise<readonly string[]>,
  limit: number,
): Promise<Decision<Uint8Array>['reply']> {
  const row = kv.routes.find((each) => each.operation === 'list' && each.path === 'metadata/:path*');
  if (row === undefined) throw new Error('there is no such route');
  return (await row.handle({ state: { keys } } as never, { path: '', after: '', limit } as never)).reply;
}

it('more names than a list may have are refused, and not as many', async () => {
  const names = Array.from({ length: listedMax + 1 }, (_, i) => metadataKey(String(i).padStart(6, '0')));
  const over = (all: readonly string[], limit: number) =>
    listOver(({ from = '', limit: atMost }) => {
      const start = all.findIndex((key) => key >= from);
      return Promise.resolve(start < 0 ? [] : all.slice(start, start + atMost));
    }, limit);
  expect(await over(names.slice(1), 0)).toMatchObject({ data: { keys: { length: listedMax } } });
  await expect(over(names, 0)).rejects.toThrow(/there are more than 20000 keys here; list them in pages/);
  expect(await over(names, 5)).toMatchObject({ data: { keys: { length: 5 } } });
});

it('names of a level come once each, folders with a slash, in byte order', async () => {
  const tried = mountWith(['a', 'a/b', 'a/c/d', 'a-b', 'a0', 'b/c', 'é/x', 'Z']);
  expect((await tried.request('list', 'metadata')).data).toEqual({ keys: ['Z', 'a', 'a-b', 'a/', 'a0', 'b/', 'é/'] });
  for (const path of ['metadata/a', 'metadata/a/'])
    expect((await tried.request('list', path)).data).toEqual({ keys: ['b', 'c/'] });
  await expect(tried.request('list', 'metadata/a0')).rejects.toMatchObject({ code: 'not-found', message: '' });
});

it('pages put together are the whole, for any paths', async () => {
  const segment = fc.constantFrom('a', 'b', 'a-', 'a.b', 'c');
  const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(path, { maxLength: 20 }), fc.integer({ min: 1, max: 4 }), async (paths, limit) => {
      const tried = mountWith(paths);
      const listed: unknown[] = [];
      try {
        for (;;) {
          const page = await tried.request('list', 'metadata', { after: listed.at(-1) ?? '', limit });
          listed.push(...Object.values(Object(page.data?.['keys'])));
        }
      } catch (error) {
        if (!(error instanceof LockstepError) || error.code !== 'not-found') throw error;
      }
      expect(listed).toEqual([...new Set(paths.map((each) => each.replace(/\/.*/, '/')))].sort());
    }),
    { numRuns: 60 },
  );
});

it('a folder is passed over whole, however much lies in it', async () => {
  const big = Array.from({ length: listPageKeys * 3 }, (_, i) => `big/${i}`);
  const { readable } = mountWith([...big, 'last']).state;
  let reads = 0;
  const reply = await listOver((range) => {
    reads += 1;
    return readable.keys(range);
  }, 0);
  expect(reply).toEqual({ data: { keys: ['big/', 'last'] } });
  expect(reads).toBe(2);
});
