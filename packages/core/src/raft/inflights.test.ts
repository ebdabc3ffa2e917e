import { LogIndex } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { Inflights } from './inflights.ts';

describe('messages in flight', () => {
  test('one more than the bound is refused', () => {
    const inflights = new Inflights({ messages: 2, bytes: 1000 });
    inflights.add(LogIndex(1), 1);
    expect(inflights.isFull).toBe(false);
    inflights.add(LogIndex(2), 1);
    expect(inflights.isFull).toBe(true);
    expect(() => inflights.add(LogIndex(3), 1)).toThrow('full');
  });

  test('bytes at the bound are full, and the last message may pass it', () => {
    const inflights = new Inflights({ messages: 100, bytes: 10 });
    inflights.add(LogIndex(1), 9);
    expect(inflights.isFull).toBe(false);
    inflights.add(LogIndex(2), 50);
    expect(inflights).toMatchObject({ isFull: true, bytes: 59 });
    inflights.freeUpTo(LogIndex(2));
    expect(inflights).toMatchObject({ isFull: false, bytes: 0, count: 0 });
  });

  test('an acknowledgement frees what it covers, and nothing after', () => {
    const inflights = new Inflights({ messages: 20, bytes: 1000 });
    for (let index = 1; index <= 20; index += 1) inflights.add(LogIndex(index * 10), 1);
    inflights.freeUpTo(LogIndex(55));
    expect(inflights.count).toBe(15);
    inflights.freeUpTo(LogIndex(9));
    expect(inflights.count).toBe(15);
  });

  test('the ring goes round for ever', () => {
    const inflights = new Inflights({ messages: 3, bytes: 1000 });
    for (let index = 1; index <= 100; index += 1) {
      inflights.add(LogIndex(index), 2);
      if (index >= 3) inflights.freeUpTo(LogIndex(index - 2));
      expect(inflights.bytes).toBe(inflights.count * 2);
    }
    expect(inflights.count).toBe(2);
    inflights.clear();
    expect(inflights).toMatchObject({ count: 0, bytes: 0 });
  });
});
