import { decodeMembershipChange } from '../membership-codec.ts';
import { unreadable } from './arguments.ts';
import type { Entry, HardState, Membership, MembershipStep, Role } from '../types.ts';

/** What one directive showed of one node, in etcd's words; entries and configurations in order, the rest as it was last. */
export interface Observation {
  soft: string | undefined;
  hardState: string | undefined;
  snapshot: string | undefined;
  readonly entries: string[];
  readonly committed: string[];
  readonly configurations: string[];
}

export function newObservation(): Observation {
  return { soft: undefined, hardState: undefined, snapshot: undefined, entries: [], committed: [], configurations: [] };
}

type Section = 'entries' | 'committed' | undefined;

/** Reads the states out of a directive's printed output. `node` is whose output it is where no header says so. */
export function observationsIn(output: readonly string[], node: number): ReadonlyMap<number, Observation> {
  const found = new Map<number, Observation>();
  let current = node;
  let section: Section;
  const of = (id: number): Observation => {
    const known = found.get(id) ?? newObservation();
    found.set(id, known);
    return known;
  };
  for (const raw of output) {
    const line = raw.trim();
    const header = /^> (\d+) /.exec(line);
    const configuration = /^INFO (\d+) switched to configuration (.*)$/.exec(line);
    if (header !== null) {
      current = Number(header[1]);
      section = undefined;
    } else if (configuration !== null) {
      of(Number(configuration[1])).configurations.push(configuration[2] ?? '');
    } else if (line === 'Entries:') section = 'entries';
    else if (line === 'CommittedEntries:') section = 'committed';
    else if (section !== undefined && /^\d+\/\d+ Entry/.test(line)) of(current)[section].push(sameChangeName(line));
    else {
      section = undefined;
      if (line.startsWith('HardState ')) of(current).hardState = line.slice('HardState '.length);
      else if (line.startsWith('Lead:')) of(current).soft = line;
      else if (line.startsWith('Snapshot Index:')) of(current).snapshot = line.slice('Snapshot '.length);
    }
  }
  return found;
}

/** etcd has two encodings of a membership change; one is enough here. */
function sameChangeName(line: string): string {
  return line.replace('EntryConfChangeV2', 'EntryConfChange').trim();
}

export function hardStateText({ term, vote, commit }: HardState): string {
  return `Term:${term}${vote === 0 ? '' : ` Vote:${vote}`} Commit:${commit}`;
}

const roleNames: { readonly [role in Role]: string } = {
  follower: 'StateFollower',
  'pre-candidate': 'StatePreCandidate',
  candidate: 'StateCandidate',
  leader: 'StateLeader',
};

export function roleText(role: Role): string {
  return roleNames[role];
}

export function entryText(entry: Entry): string {
  const place = `${entry.term}/${entry.index}`;
  if (entry.type !== 'membership') return `${place} EntryNormal "${new TextDecoder().decode(entry.data)}"`;
  const steps = decodeMembershipChange(entry.data).steps.map(({ kind, node }) => `${stepLetters[kind]}${node}`);
  return `${place} EntryConfChange ${steps.join(' ')}`.trim();
}

/** What an entry takes in etcd's encoding: a byte of key for each field, and numbers in seven bits a byte. */
export function etcdBytesOf({ index, term, type, data }: Entry): number {
  const dataBytes = type === 'membership' ? 2 + 6 * decodeMembershipChange(data).steps.length : data.length;
  const head = 3 + 1 + varintBytes(term) + varintBytes(index);
  return dataBytes === 0 ? head : head + 1 + varintBytes(dataBytes) + dataBytes;
}

function varintBytes(value: number): number {
  return value < 128 ? 1 : 1 + varintBytes(Math.floor(value / 128));
}

const stepLetters: { readonly [kind in MembershipStep['kind']]: string } = {
  'add-voter': 'v',
  'add-learner': 'l',
  remove: 'r',
  update: 'u',
};

export function stepKind(letter: string): MembershipStep['kind'] {
  for (const kind of ['add-voter', 'add-learner', 'remove', 'update'] as const)
    if (stepLetters[kind] === letter) return kind;
  throw unreadable(`step "${letter}" is not known; there are v, l, r, u`);
}

export function membershipText(membership: Membership): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = membership;
  let text = `voters=(${voters.join(' ')})`;
  if (votersOutgoing.length > 0) text += `&&(${votersOutgoing.join(' ')})`;
  if (learners.length > 0) text += ` learners=(${learners.join(' ')})`;
  if (learnersNext.length > 0) text += ` learners_next=(${learnersNext.join(' ')})`;
  return autoLeave ? `${text} autoleave` : text;
}

export function snapshotText(of: {
  readonly index: number;
  readonly term: number;
  readonly membership: Membership;
}): string {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = of.membership;
  const lists = `Voters:[${voters.join(' ')}] VotersOutgoing:[${votersOutgoing.join(' ')}]`;
  const rest = `Learners:[${learners.join(' ')}] LearnersNext:[${learnersNext.join(' ')}] AutoLeave:${autoLeave}`;
  return `Index:${of.index} Term:${of.term} ConfState:${lists} ${rest}`;
}
