import { describe, expect, test } from 'vitest';
import { pathBytesMax, segmentBytesMax, segmentsMax } from './limits.ts';
import { checkedPath, pathOfTarget } from './request-path.ts';

describe('what could mean another path is refused', () => {
  test.each([
    ['/v1/kv/data/../../sys/raw', 'path contains relative segments'],
    ['/v1/kv/./x', 'path contains relative segments'],
    ['/v1/kv/%2e%2e/x', 'path contains relative segments'],
    ['/v1/kv/.%2E/x', 'path contains relative segments'],
    ['/v1/kv/%252e%252e/x', 'path contains relative segments'],
    ['/v1/kv/%25252e./x', 'path contains relative segments'],
    ['/v1/kv/..%2fsys', 'path contains relative segments'],
    ['/v1/kv/..;/x', 'path contains relative segments'],
    ['/v1/kv/..%3Ba=b/x', 'path contains relative segments'],
    ['/v1/..', 'path contains relative segments'],
    ['/v1/kv\\..\\x', 'path contains a backslash'],
    ['/v1/kv/%5cx', 'path contains a backslash'],
    ['/v1/kv/%00', 'path contains a control character'],
    ['/v1/kv/a%0ab', 'path contains a control character'],
    ['/v1/kv/a%7Fb', 'path contains a control character'],
    ['/v1/kv/%zz', 'path has an invalid percent-encoding or is not UTF-8'],
    ['/v1/kv/%', 'path has an invalid percent-encoding or is not UTF-8'],
    ['/v1/kv/%ff', 'path has an invalid percent-encoding or is not UTF-8'],
    ['/v1/kv/%c0%ae%c0%ae/x', 'path has an invalid percent-encoding or is not UTF-8'],
    ['/v1/kv/%ed%a0%80', 'path has an invalid percent-encoding or is not UTF-8'],
    ['/v1/kv/e%cc%81', 'path must be Unicode in normal form C'],
  ])('%s: %s', (target, message) => {
    expect(() => pathOfTarget(target)).toThrow(message);
  });
});

test.each([
  ['/v1/kv/data/a?version=1', 'kv/data/a'],
  ['/v1/kv//data///a/', 'kv/data/a'],
  ['/v1/kv%2Fdata%2fa', 'kv/data/a'],
  ['/v1/kv/data/a%20b+c', 'kv/data/a b+c'],
  ['/v1/kv/data/%C3%A9', 'kv/data/é'],
  ['/v1/kv/data/.hidden/...', 'kv/data/.hidden/...'],
  ['/v1/kv/data/100%25', 'kv/data/100%'],
  ['/v1/', ''],
])('%s is the path %s', (target, path) => {
  expect(pathOfTarget(target)).toBe(path);
});

test.each(['/', '/v1', '/v2/x', '/ui/', '//v1/x'])('%s is not below /v1/', (target) => {
  expect(pathOfTarget(target)).toBeUndefined();
});

describe('each length is allowed at its bound and refused one past it', () => {
  test('segments', () => {
    expect(checkedPath('a/'.repeat(segmentsMax))).toHaveLength(segmentsMax * 2 - 1);
    expect(() => checkedPath('a/'.repeat(segmentsMax + 1))).toThrow(`path has more than ${segmentsMax} segments`);
  });
  test('bytes of a segment', () => {
    expect(checkedPath('é'.repeat(segmentBytesMax / 2))).toHaveLength(segmentBytesMax / 2);
    expect(() => checkedPath(`${'é'.repeat(segmentBytesMax / 2)}a`)).toThrow(`longer than ${segmentBytesMax} bytes`);
  });
  test('bytes of a path', () => {
    const long = `${`${'a'.repeat(500)}/`.repeat(8)}`;
    const rest = pathBytesMax - long.length;
    expect(checkedPath(long + 'b'.repeat(rest))).toHaveLength(pathBytesMax);
    expect(() => checkedPath(long + 'b'.repeat(rest + 1))).toThrow(`path is longer than ${pathBytesMax} bytes`);
  });
});
