import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runCaseFile } from './run-file.ts';

/** etcd's published cases (Apache-2.0) are read from a folder beside the repository, or from the one that this variable names. */
const named = process.env['LOCKSTEP_ETCD_RAFT_TESTDATA'];
const folder = named ?? join(import.meta.dirname, '../../../../../../shared/etcd-raft-testdata');

// What is described is gone through even where it is not run.
const files = existsSync(folder)
  ? readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.txt'))
  : [];
describe.runIf(files.length > 0)('etcd’s cases', () => {
  test.each(files.sort())('%s', (file) => {
    expect(runCaseFile(readFileSync(join(folder, file), 'utf8'))).toMatchObject({ kind: 'passed' });
  });
});

// Without the data nothing of the above runs: that must be seen. A folder that was named and isn't there is a fault.
if (!existsSync(folder)) {
  if (named === undefined)
    test.skip('etcd’s cases: not found beside the repository, LOCKSTEP_ETCD_RAFT_TESTDATA may name their folder', () => {});
  else test('LOCKSTEP_ETCD_RAFT_TESTDATA names a folder', () => expect.fail(`there is none at ${folder}`));
}

describe('a file is refused, by line and command, for', () => {
  test.each([
    ['nothing in it', '# nothing\n', 'there is no directive'],
    ['no separator', 'campaign 1\n', 'line 1: no ---- after the directive'],
    ['no end of its output', 'campaign 1\n----\n----\nx\n', 'line 3: no second pair of ----'],
    ['a command that is not known', file('campaign 1', 'jump 1'), 'line 9: jump: the command is not known'],
    ['a command after another', file('campaign 1\njump 1'), 'line 5: campaign: the command is not known'],
    ['a node that is not there', file('campaign 4'), 'line 5: campaign: there is no node 4'],
    ['no node', file('campaign'), 'line 5: campaign: "" is not a number'],
    ['an option of nodes', 'add-nodes 1 voters=(1) index=2 colour=red\n----\nok\n', 'option "colour" is not known'],
    ['an option of another value', 'add-nodes 1 read-only=never\n----\nok\n', 'read-only can\'t be "never"'],
    ['a flag that is none', 'add-nodes 1 prevote=perhaps\n----\nok\n', 'prevote must be true or false, is "perhaps"'],
    ['an index of 1', 'add-nodes 1 voters=(1) index=1\n----\nok\n', 'index must be more than 1'],
    ['a log level', file('log-level loud'), 'log level "loud" is not known'],
    ['an option of stabilize', file('stabilize 1 speed=2'), 'option "speed" is not known; there are log-level'],
    ['a type of message', file('deliver-msgs 1 type=MsgJump'), 'message type "MsgJump" is not known'],
    ['an entry that is not there', file('compact 1 17'), 'there is no entry 17 to compact at'],
    ['a transition', file('propose-conf-change 1 transition=slow\nv2'), 'transition "slow" is not known'],
    ['a step', file('propose-conf-change 1\nx2'), 'step "x" is not known'],
    ['a vote', 'vote cfg=(1) votes=(x)\n----\nVoteWon\n', 'a vote is y, n or _, not "x"'],
    ['a command of another kind of file', 'vote cfg=(1) votes=(y)\n----\nVoteWon\n\ncampaign 1\n----\nok\n', 'line 5'],
    ['a change of another kind', 'simple\nv1\n----\nvoters=(1)\n1: StateProbe match=0 next=1\n\nleap\n----\n', 'leap'],
  ])('%s', (_name, text, why) => {
    expect(runCaseFile(text)).toEqual({ kind: 'unreadable', why: expect.stringContaining(why) as string });
  });
});

describe('a file differs, by line and command, in', () => {
  test.each([
    ['who leads', file('stabilize', 'raft-state', { 9: '1: StateLeader (Voter) Term:1 Lead:1' }), 9, 'StateFollower'],
    ['what a Ready holds', file('campaign 1', 'process-ready 1', { 9: 'HardState Term:7 Commit:2' }), 9, 'Term:7'],
    ['a proposal that is dropped', file('propose 1 x'), 5, 'raft proposal dropped'],
    ['a quorum', 'vote cfg=(1,2) votes=(y,n)\n----\nVoteWon\n', 1, 'VoteLost'],
    ['a configuration', 'simple\nv1\n----\nvoters=(2)\n', 1, 'voters=(1)'],
    ['a refused change', 'leave-joint\n----\nvoters=(2)\n', 1, 'only a joint configuration can be left'],
  ])('%s', (_name, text, line, how) => {
    expect(runCaseFile(text)).toMatchObject({ kind: 'differs', line, how: expect.stringContaining(how) as string });
  });
});

describe('a file passes', () => {
  test('when a follower passes a proposal on, and a node without a leader drops it', () => {
    const passedOn = ['stabilize log-level=none', 'raft-log 3'];
    const log = ['1/3 EntryNormal ""', '1/4 EntryNormal "here"'].join('\n');
    expect(runCaseFile(elected('propose 3 here', ...passedOn, { 21: log }))).toMatchObject({ kind: 'passed' });
    expect(runCaseFile(file('propose 1 x', { 5: 'raft proposal dropped' }))).toMatchObject({ kind: 'passed' });
  });

  test('when a follower passes a transfer on', () => {
    const state = ['1: StateFollower (Voter) Term:2 Lead:3', '2: StateFollower (Voter) Term:2 Lead:3'];
    const text = elected('transfer-leadership from=2 to=3', 'stabilize log-level=none', 'raft-state', {
      21: [...state, '3: StateLeader (Voter) Term:2 Lead:3'].join('\n'),
    });
    expect(runCaseFile(text)).toEqual({ kind: 'passed', directives: 6 });
  });

  test('when only messages of one type are delivered, and no others', () => {
    const log = 'log is empty: first index=3, last index=2';
    const text = elected('propose 1 x', 'process-ready 1', 'deliver-msgs 2 type=MsgHeartbeat', 'raft-log 3', {
      17: 'Ready MustSync=true:\nEntries:\n1/4 EntryNormal "x"',
      27: '1/3 EntryNormal ""',
    });
    expect(runCaseFile(text)).toMatchObject({ kind: 'passed' });
    expect(runCaseFile(file('raft-log 1', { 5: log }))).toMatchObject({ kind: 'passed' });
  });

  test('when leases keep a follower from forgetting its leader', () => {
    const begin = 'add-nodes 1 voters=(2) index=2 checkquorum=true read-only=lease-based\n----\nok\n';
    expect(runCaseFile(`${begin}\nforget-leader 1\n----\nok\n`)).toEqual({ kind: 'passed', directives: 2 });
  });

  test('when changes that can’t be made enter the log unchecked, one to a Ready', () => {
    const options = 'max-committed-size-per-ready=1 disable-conf-change-validation=true';
    const lone = (expected: string): string =>
      `add-nodes 1 voters=(1) index=2 ${options}\n----\nok\n\nlog-level none\n----\nok\n\ncampaign 1\n----\nok\n\nstabilize\n----\nok\n\n` +
      `log-level debug\n----\nok\n\npropose-conf-change 1 transition=explicit\nl2 l3\n----\nok\n\npropose-conf-change 1\n----\nok\n\n` +
      `process-ready 1\n----\nReady:\nEntries:\n1/4 EntryConfChangeV2 l2 l3\n1/5 EntryConfChangeV2\n\n` +
      `process-ready 1\n----\n${expected}`;
    const first =
      'Ready:\nHardState Term:1 Vote:1 Commit:5\nCommittedEntries:\n1/4 EntryConfChangeV2 l2 l3\n' +
      'INFO 1 switched to configuration voters=(1)&&(1) learners=(2 3)\n';
    expect(runCaseFile(lone(first))).toMatchObject({ kind: 'passed' });
    expect(runCaseFile(lone(first.replace('learners=(2 3)', 'learners=(2)')))).toMatchObject({ kind: 'differs' });
    // Who hears no INFO is not told of configurations.
    const quiet = lone(first.slice(0, first.indexOf('INFO'))).replace('log-level debug', 'log-level warn');
    expect(runCaseFile(quiet)).toMatchObject({ kind: 'passed' });
  });

  test('when a quorum refuses values that are too few', () => {
    const text =
      'committed cfg=(1,2,3) idx=(1,2)\n----\nerror: mismatched input (explicit or _) for voters [1 2 3]: [1 2]\n';
    expect(runCaseFile(text)).toMatchObject({ kind: 'passed' });
  });
});

type Expected = { readonly [line: number]: string };

/** Three nodes (`add-nodes`, in the first four lines), then these directives, which print what is given for their line, or `ok`. */
function file(...directives: readonly (string | Expected)[]): string {
  const expected = directives.find((part) => typeof part !== 'string') ?? {};
  let text = 'add-nodes 3 voters=(1,2,3) index=2\n----\nok\n\n';
  for (const directive of directives) {
    if (typeof directive !== 'string') continue;
    const line = text.split('\n').length;
    text += `${directive}\n----\n${expected[line] ?? 'ok'}\n\n`;
  }
  return text;
}

/** The same, led by node 1. */
function elected(...directives: readonly (string | Expected)[]): string {
  return file('campaign 1', 'stabilize log-level=none', ...directives);
}
