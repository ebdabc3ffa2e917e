import { describe, expect, test } from 'vitest';
import { electionMs, roleOf, Stage } from './stage.fixture.ts';

describe('reads', () => {
  test('that were asked of a leader before it stood still, while another wrote, are not answered from before', () => {
    using stage = new Stage(3);
    const old = stage.leader();
    stage.written(old, 'before');
    old.pause();
    const asked = Array.from({ length: 5 }, () => stage.read(old));
    stage.pass(3 * electionMs);
    stage.until(() => stage.followers().some((node) => roleOf(node) === 'leader'));
    const next = stage.leader();
    expect(next.id).not.toBe(old.id);
    stage.written(next, 'after');
    old.resume();
    for (const read of asked) {
      const answer = stage.answered(read);
      // It may be that nobody answers; whoever does answers with the newer value.
      if (answer.kind === 'read') expect(answer.found).toMatchObject({ value: 'after' });
    }
    stage.end();
  });

  test('of a follower that is behind, and then installs a snapshot from after the read, are answered once, from no earlier', () => {
    using stage = new Stage(3, { compaction: { everyEntries: 5_000, tailEntries: 0 } });
    const leader = stage.leader();
    const behind = stage.followers()[0] ?? leader;
    stage.written(leader, 'before');
    const rest = stage.nodes.filter((node) => node !== behind);
    stage.cut(rest, [behind]);
    for (let count = 0; count < 20; count++) stage.written(leader, `${count}`);
    // Everything is in the state's own database by now.
    stage.pass(1_000);
    for (const node of rest) node.consensus?.compactNow();
    stage.pass(100);
    stage.mend();
    const read = stage.read(behind);
    let answers = 0;
    const again = stage.cluster.servers;
    again.read(behind, 'k', () => answers++);
    expect(stage.answered(read)).toMatchObject({ kind: 'read', found: { value: '19' } });
    stage.pass(5_000);
    expect(answers).toBe(1);
    expect(behind.consensus?.status().snapshotsInstalled).toBe(1);
    stage.end();
  });
});
