import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { describe, expect, test } from 'vitest';
import { changeAtOnce, enterJoint, leaveJoint } from '../membership.ts';
import { type Progress, progressOf } from '../progress.ts';
import { quorumIndex, type Voters, voteResult } from '../quorum.ts';
import type { Membership } from '../types.ts';
import { Interpreter, stepsIn, valueOf } from './interpret.ts';
import { membershipText, newObservation, observationsIn } from './observation.ts';
import { type Arg, type Case, parseCases } from './parse.ts';

/** etcd's published cases (Apache-2.0) are read from a folder beside the repository, or from the one that this variable names. */
const named = process.env['LOCKSTEP_ETCD_RAFT_TESTDATA'];
const folder = named ?? join(import.meta.dirname, '../../../../../../shared/etcd-raft-testdata');

/** Directives that ask for what this core has decided against, with the reason. A file with one of them is listed as skipped, with it. */
const notOurs: readonly { readonly arg: string; readonly reason: string }[] = [
  { arg: 'read-only=lease-based', reason: 'there are no lease reads: a lease trusts clocks' },
  { arg: 'disable-conf-change-validation=true', reason: 'a change that cannot be made is never proposed' },
  { arg: 'max-committed-size-per-ready', reason: 'entries are counted in bytes of data, not of etcd’s encoding' },
];

describe.runIf(existsSync(folder))('etcd’s quorum cases', () => {
  for (const file of filesOf('quorum')) {
    for (const directive of casesOf('quorum', file)) {
      test(`${file}:${directive.line}`, () => {
        // An empty half is described on the line of the result.
        expect(quorumResult(directive)).toBe(directive.expected.at(-1)?.replace('<empty majority quorum>', ''));
      });
    }
  }
});

describe.runIf(existsSync(folder))('etcd’s membership change cases', () => {
  for (const file of filesOf('confchange')) {
    test(file, () => {
      let state: ChangeState = { membership: nobody, progress: new Map() };
      casesOf('confchange', file).forEach((directive, lastIndex) => {
        const changed = changedBy(directive, state, lastIndex);
        const isRefusalExpected = !(directive.expected[0] ?? '').startsWith('voters=');
        expect({ line: directive.line, isRefused: changed === undefined }).toEqual({
          line: directive.line,
          isRefused: isRefusalExpected,
        });
        if (changed === undefined) return;
        state = changed;
        expect([`line ${directive.line}`, ...changeLines(state)]).toEqual([
          `line ${directive.line}`,
          ...directive.expected,
        ]);
      });
    });
  }
});

describe.runIf(existsSync(folder))('etcd’s interaction cases', () => {
  for (const file of filesOf('interaction')) {
    const directives = casesOf('interaction', file);
    const text = readFileSync(join(folder, 'interaction', file), 'utf8');
    const refused = notOurs.find(({ arg }) => text.includes(arg));
    if (refused !== undefined) test.skip(`${file} (${refused.reason})`, () => {});
    else test(file, () => runInteraction(directives));
  }
});

// Without the data nothing of the above runs: that must be seen. A folder that was named and isn't there is a fault.
if (!existsSync(folder)) {
  if (named === undefined)
    test.skip('etcd’s cases: not found beside the repository, LOCKSTEP_ETCD_RAFT_TESTDATA may name their folder', () => {});
  else test('LOCKSTEP_ETCD_RAFT_TESTDATA names a folder', () => expect.fail(`there is none at ${folder}`));
}

function runInteraction(directives: readonly Case[]): void {
  const interpreter = new Interpreter();
  for (const directive of directives) {
    const printed = interpreter.run(directive);
    const isShown = !interpreter.isQuiet && valueOf(directive.args, 'log-level') !== 'none';
    if (!isShown || ['log-level', 'add-nodes'].includes(directive.command)) continue;
    const where = `line ${directive.line}: ${directive.command} ${directive.args.map((arg) => arg.key).join(' ')}`;
    if (printed !== undefined) {
      expect([where, ...printed]).toEqual([
        where,
        ...directive.expected.map((line) => line.replace('ConfChangeV2', 'ConfChange').trim()),
      ]);
    } else {
      const expected = observationsIn(directive.expected, Number(directive.args[0]?.key));
      for (const node of interpreter.nodes) {
        expect([where, node.id, node.observation]).toEqual([where, node.id, expected.get(node.id) ?? newObservation()]);
      }
    }
  }
}

interface ChangeState {
  readonly membership: Membership;
  readonly progress: Map<NodeId, Progress>;
}

const nobody: Membership = { voters: [], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

/** Undefined when the change is refused. etcd's harness counts every command, refused or not, as one more entry of the log. */
function changedBy(directive: Case, { membership, progress }: ChangeState, lastIndex: number): ChangeState | undefined {
  const steps = stepsIn(directive.input);
  const autoLeave = valueOf(directive.args, 'autoleave') === 'true';
  const outcome =
    directive.command === 'simple'
      ? changeAtOnce(membership, steps)
      : directive.command === 'enter-joint'
        ? enterJoint(membership, steps, autoLeave)
        : leaveJoint(membership);
  if (outcome.kind === 'refused') return undefined;
  const next = LogIndex(Math.max(lastIndex, 1));
  const known = progressOf(outcome.membership, { known: progress, next, max: { messages: 10, bytes: 1000 } });
  return { membership: outcome.membership, progress: known };
}

function changeLines({ membership, progress }: ChangeState): readonly string[] {
  const peers = [...progress.values()].map(
    (peer) => `${peer.node}: StateProbe match=${peer.match} next=${peer.next}${peer.isLearner ? ' learner' : ''}`,
  );
  return [membershipText(membership), ...peers];
}

function quorumResult({ command, args }: Case): string {
  const voters: Voters = { incoming: nodesIn(args, 'cfg'), outgoing: nodesIn(args, 'cfgj') };
  const given = args.find((arg) => arg.key === (command === 'vote' ? 'votes' : 'idx'))?.values ?? [];
  // Values are given for the voters in their order; one that is in both halves is given once.
  const nodes = [...new Set([...voters.incoming, ...voters.outgoing])];
  const values = new Map(nodes.map((node, at) => [node, given[at]]));
  if (command === 'vote') {
    const names = { won: 'VoteWon', lost: 'VoteLost', pending: 'VotePending' } as const;
    return names[voteResult(voters, (node) => (values.get(node) === '_' ? undefined : values.get(node) === 'y'))];
  }
  const index = quorumIndex(voters, (node) => LogIndex(values.get(node) === '_' ? 0 : Number(values.get(node))));
  return index === Number.MAX_SAFE_INTEGER ? '∞' : String(index);
}

function nodesIn(args: readonly Arg[], key: string): readonly NodeId[] {
  const values = args.find((arg) => arg.key === key)?.values ?? [];
  return values.filter((value) => value !== 'zero').map((value) => NodeId(Number(value)));
}

function filesOf(kind: string): readonly string[] {
  const path = join(folder, kind);
  return existsSync(path)
    ? readdirSync(path)
        .filter((name) => name.endsWith('.txt'))
        .sort()
    : [];
}

function casesOf(kind: string, file: string): readonly Case[] {
  return parseCases(readFileSync(join(folder, kind, file), 'utf8'));
}
