import { describe, expect, test } from 'vitest';
import { Stage } from './stage.fixture.ts';

describe('a client', () => {
  test('whose leader crashes after the commit and before the answer repeats its request, and gets the first outcome', () => {
    using stage = new Stage(3);
    const leader = stage.leader();
    const [asked] = stage.followers();
    if (asked === undefined) throw new Error('there is no follower');
    stage.written(leader, 'before');
    const committed = stage.cluster.checker.committed;
    const first = stage.write(asked, 'once', { request: 1 });
    const last = committed.lastIndex;
    stage.until(() => committed.lastIndex > last);
    leader.crash();
    expect(first.answer).toBeUndefined();
    const next = stage.leader();
    const again = stage.answered(stage.write(next, 'once', { request: 1 }));
    expect(again).toEqual({ kind: 'applied', outcome: { kind: 'written', version: 2 } });
    expect(stage.answered(stage.read(next))).toMatchObject({ found: { value: 'once', version: 2 } });
    leader.start();
    stage.end();
  });

  test('whose transaction was passed on to a leader that dies learns that its outcome is unknown, never that nothing happened', () => {
    // At each instant on the way: before it arrives, before it is on a disk, before it is committed, before it is told.
    for (let delayMs = 0.05; delayMs < 8; delayMs += 0.4) {
      using stage = new Stage(3);
      const leader = stage.leader();
      const [asked] = stage.followers();
      if (asked === undefined) throw new Error('there is no follower');
      stage.written(leader, 'before');
      const write = stage.write(asked, 'passed on');
      stage.pass(delayMs);
      leader.crash();
      const answer = stage.answered(write);
      const { value } = stage.answered(stage.read(stage.leader())).kind === 'read' ? { value: true } : { value: false };
      expect(value).toBe(true);
      // `refused` is held by the checker to mean that it never comes.
      expect(['applied', 'unknown', 'refused']).toContain(answer.kind);
      leader.start();
      stage.end();
    }
  });
});
