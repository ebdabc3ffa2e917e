import { expect, test } from 'vitest';
import { Stage } from './stage.fixture.ts';

/** A follower that must install a snapshot, and dies at its effect of that number once it may begin. True: it died. */
function diesAtEffect(count: number): boolean {
  using stage = new Stage(3, { compaction: { everyEntries: 5_000, tailEntries: 0 } });
  const leader = stage.leader();
  const behind = stage.followers()[0] ?? leader;
  const rest = stage.nodes.filter((node) => node !== behind);
  stage.written(leader, 'before');
  stage.cut(rest, [behind]);
  // Of some chunks, each of which is a step.
  for (let written = 0; written < 30; written++) stage.written(leader, `${written}`, `s${written}`);
  stage.pass(1_000);
  for (const node of rest) node.consensus?.compactNow();
  stage.pass(100);
  behind.crashAtEffect(count);
  stage.mend();
  // What a node sends while nothing is wrong is an effect, too: with more of them than the install has it dies later, or not.
  const isOver = (): boolean => !behind.isUp || (behind.machine?.state.index ?? 0) >= 32;
  stage.until(isOver);
  const hasDied = !behind.isUp;
  behind.start();
  stage.end();
  expect(behind.machine?.state.values.get('s29')?.value).toBe('29');
  return hasDied;
}

test('an install that is cut off at any of its steps leaves the old state or the new one, and is finished later', () => {
  let steps = 0;
  while (diesAtEffect(steps + 1)) steps++;
  expect(steps).toBeGreaterThan(15);
});
