import { LockstepError } from '@lockstep/contract/errors';
import { unreadable, valueOf } from './arguments.ts';
import { changeDifference, newChangeState } from './change-cases.ts';
import { Interpreter } from './interpret.ts';
import { lineDifference } from './line-difference.ts';
import { newObservation, observationsIn, type Observation } from './observation.ts';
import { type Case, parseCases } from './parse.ts';
import { quorumDifference } from './quorum-cases.ts';

export type FileResult =
  | { readonly kind: 'passed'; readonly directives: number }
  /** The first directive after which a state is another than the file says. */
  | { readonly kind: 'differs'; readonly line: number; readonly command: string; readonly how: string }
  /** It asks for something that is not known here, or is not in the format. */
  | { readonly kind: 'unreadable'; readonly why: string };

type Run = (directive: Case) => string | undefined;

const changeCommands: readonly string[] = ['simple', 'enter-joint', 'leave-joint'];
const quorumCommands: readonly string[] = ['committed', 'vote'];

/**
 * Runs one file of etcd-raft's data-driven cases: interactions of whole nodes, changes of membership, or quorums, told apart by
 * their commands. States are compared, not the wording of messages and log lines.
 */
export function runCaseFile(text: string): FileResult {
  let at: Case | undefined;
  try {
    const directives = parseCases(text);
    if (directives.length === 0) throw unreadable('there is no directive');
    const run = runnerOf(directives[0]?.command ?? '');
    for (const directive of directives) {
      at = directive;
      const how = run(directive);
      if (how !== undefined) return { kind: 'differs', line: directive.line, command: directive.command, how };
    }
    return { kind: 'passed', directives: directives.length };
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'invalid-input') {
      const where = at === undefined ? '' : `line ${at.line}: ${at.command}: `;
      return { kind: 'unreadable', why: `${where}${error.message}` };
    }
    if (at === undefined) throw error;
    // The core itself gave up: no case asks for that.
    const how = error instanceof Error ? error.message : String(error);
    return { kind: 'differs', line: at.line, command: at.command, how: `it throws: ${how}` };
  }
}

function runnerOf(command: string): Run {
  if (quorumCommands.includes(command)) return quorumDifference;
  if (changeCommands.includes(command)) {
    const state = newChangeState();
    return (directive) => changeDifference(directive, state);
  }
  const interpreter = new Interpreter();
  return (directive) => interactionDifference(interpreter, directive);
}

/** Commands that show a state and nothing else: what they print is compared line by line. */
const stateCommands: readonly string[] = ['status', 'raft-state', 'raft-log', 'compact'];

function interactionDifference(interpreter: Interpreter, directive: Case): string | undefined {
  const { command, args, input } = directive;
  const printed = interpreter.run(directive);
  const expected = directive.expected.map((line) => line.replace('ConfChangeV2', 'ConfChange').trim());
  const isShown = !interpreter.isQuiet && valueOf(args, 'log-level') !== 'none';
  if (!isShown) return lineDifference(refusalsOf(printed), refusalsOf(expected));
  if (stateCommands.includes(command) && input.length === 0)
    return lineDifference(printed.length === 0 ? ['ok'] : printed, expected);
  const statesDiffer = lineDifference(stateLinesOf(printed), stateLinesOf(expected));
  // Nodes are made as they are told to be; what a log says of that is not compared.
  if (statesDiffer !== undefined || command === 'add-nodes') return statesDiffer;
  return observedDifference(interpreter, directive);
}

const refusals: readonly string[] = [
  'raft proposal dropped',
  'v1 conf change can only have one operation and no transition',
];

function refusalsOf(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => refusals.includes(line));
}

/** Lines that only a command for a state prints (`status`, `raft-state`), and refusals. Those of `raft-log` look like a Ready's. */
function stateLinesOf(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => /^\d+: State|^log is empty/.test(line) || refusals.includes(line));
}

function observedDifference(interpreter: Interpreter, directive: Case): string | undefined {
  const expected = observationsIn(directive.expected, Number(directive.args[0]?.key));
  const isTold = interpreter.areConfigurationsTold;
  for (const node of interpreter.nodes) {
    const wanted = shownOf(expected.get(node.id) ?? newObservation(), isTold);
    const difference = lineDifference(shownOf(node.observation, isTold), wanted);
    if (difference !== undefined) return `node ${node.id}: ${difference}`;
  }
  return undefined;
}

/** One line for each thing that was shown, in a fixed order of kinds. */
function shownOf(observation: Observation, areConfigurationsTold: boolean): readonly string[] {
  const { soft, hardState, snapshot, entries, committed, configurations } = observation;
  return [
    ...(soft === undefined ? [] : [soft]),
    ...(hardState === undefined ? [] : [`hard state ${hardState}`]),
    ...(snapshot === undefined ? [] : [`snapshot ${snapshot}`]),
    ...entries.map((entry) => `entry ${entry}`),
    ...committed.map((entry) => `committed ${entry}`),
    ...(areConfigurationsTold ? configurations.map((configuration) => `configuration ${configuration}`) : []),
  ];
}
