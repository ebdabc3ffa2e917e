import { describe, expect, test } from 'vitest';
import { simulate } from '../simulate.ts';
import type { SimulatedNode } from '../simulated-node.ts';
import { calmSwarm, roleOf, Stage } from './stage.fixture.ts';

describe('a leader that stands still for three seconds', () => {
  test('costs one election at the most, and on waking serves nobody before it has stepped down', () => {
    using stage = new Stage(3);
    const old = stage.leader();
    stage.written(old, 'before');
    const before = stage.cluster.checker.elections.count;
    old.pause();
    const [write, read] = [stage.write(old, 'late'), stage.read(old)];
    stage.pass(3_000);
    const next = stage.leader();
    stage.written(next, 'meanwhile');
    old.resume();
    stage.pass(1);
    expect(roleOf(old)).toBe('follower');
    const answer = stage.answered(read);
    if (answer.kind === 'read') expect(answer.found?.value).not.toBe('before');
    // Its transaction waits for the next leader, or is refused: never lost and told to be done.
    if (stage.answered(write).kind === 'applied')
      expect(stage.answered(stage.read(next))).toMatchObject({ kind: 'read' });
    stage.pass(2_000);
    expect(stage.cluster.checker.elections.count - before).toBeLessThanOrEqual(1);
    stage.end();
  });
});

test('nodes that stand still for up to three seconds each, for ten minutes, lose and repeat nothing, and go on', () => {
  const calm = calmSwarm(3);
  const swarm = {
    ...calm,
    every: { ...calm.every, pause: 2_000 },
    pauseMs: 1_000,
    clients: 4,
    thinkMs: 200,
    patience: 0.9,
    readShare: 0.5,
    repeatShare: 0.5,
    keys: 3,
  };
  const { failure, counts, simulatedMs } = simulate({ seed: 1, seconds: 600, swarm });
  expect(failure).toBeUndefined();
  expect(simulatedMs).toBeGreaterThanOrEqual(600_000);
  expect(counts.applied).toBeGreaterThan(500);
  expect(counts.read).toBeGreaterThan(500);
}, 120_000);

test.each([
  ['is gone', () => undefined],
  ['was started anew', (node: SimulatedNode) => node.start()],
])('what waited for a process that dies as it goes on never happens: the node %s', (_what, then) => {
  using stage = new Stage(3);
  const node = stage.leader();
  const happened: string[] = [];
  node.pause();
  node.arrive(() => {
    happened.push('first');
    node.crash();
    then(node);
  });
  node.arrive(() => happened.push('second'));
  node.resume();
  expect(happened).toEqual(['first']);
  node.start();
  stage.end();
});
