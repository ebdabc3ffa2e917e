import { LogIndex, NodeId } from '@lockstep/contract/ids';
import { quorumIndex, type Voters, voteResult } from '../quorum.ts';
import { idIn, requireKnown, unreadable } from './arguments.ts';
import type { Arg, Case } from './parse.ts';

const voteNames = { won: 'VoteWon', lost: 'VoteLost', pending: 'VotePending' } as const;

/** Asks a quorum, and says how its answer is another than the file's, whose drawing of the voters is not compared. */
export function quorumDifference(directive: Case): string | undefined {
  const answer = quorumAnswer(directive);
  // An empty half is described on the line of the answer; a refusal names the voters.
  const expected = (directive.expected.at(-1) ?? '').replace('<empty majority quorum>', '');
  const isSame = answer === mismatched ? expected.startsWith(mismatched) : expected === answer;
  return isSame ? undefined : `it answers ${answer}, the file ${expected}`;
}

/** Each voter has one value. */
const mismatched = 'error: mismatched input';

function quorumAnswer({ command, args }: Case): string {
  const key = command === 'vote' ? 'votes' : 'idx';
  if (command !== 'vote' && command !== 'committed') throw unreadable('the command is not known');
  requireKnown(args, ['cfg', 'cfgj', key]);
  const voters: Voters = { incoming: nodesIn(args, 'cfg'), outgoing: nodesIn(args, 'cfgj') };
  const given = args.filter((arg) => arg.key === key).flatMap((arg) => arg.values);
  // Values are given for the voters in their order; one that is in both halves is given once.
  const nodes = [...new Set([...voters.incoming, ...voters.outgoing])];
  if (given.length !== nodes.length) return mismatched;
  const values = new Map(nodes.map((node, at) => [node, given[at] ?? '_']));
  if (command === 'vote') return voteNames[voteResult(voters, (node) => voteIn(values.get(node) ?? '_'))];
  const index = quorumIndex(voters, (node) => indexIn(values.get(node) ?? '_'));
  return index === Number.MAX_SAFE_INTEGER ? '∞' : String(index);
}

function voteIn(text: string): boolean | undefined {
  if (text === '_') return undefined;
  if (text === 'y' || text === 'n') return text === 'y';
  throw unreadable(`a vote is y, n or _, not "${text}"`);
}

function indexIn(text: string): LogIndex {
  return LogIndex(text === '_' ? 0 : idIn(text));
}

function nodesIn(args: readonly Arg[], key: string): readonly NodeId[] {
  const values = args.filter((arg) => arg.key === key).flatMap((arg) => arg.values);
  return values.filter((value) => value !== 'zero').map((value) => NodeId(idIn(value)));
}
