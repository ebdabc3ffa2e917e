import { LogIndex, type NodeId } from '@lockstep/contract/ids';

/** The two halves that must agree. Outside a joint configuration `outgoing` is empty, and an empty half agrees with everything. */
export interface Voters {
  readonly incoming: readonly NodeId[];
  readonly outgoing: readonly NodeId[];
}

export type VoteResult = 'won' | 'lost' | 'pending';

/** What an empty half is sure of: everything. */
const everything = LogIndex(Number.MAX_SAFE_INTEGER);

/** The highest position that a majority of both halves has acknowledged (thesis §4.3, joint consensus). */
export function quorumIndex(voters: Voters, acknowledged: (node: NodeId) => LogIndex): LogIndex {
  const incoming = majorityIndex(voters.incoming, acknowledged);
  if (voters.outgoing.length === 0) return incoming;
  const outgoing = majorityIndex(voters.outgoing, acknowledged);
  return incoming < outgoing ? incoming : outgoing;
}

/** Won needs a majority of yes in both halves; lost, a majority that can't be had any more in either. */
export function voteResult(voters: Voters, vote: (node: NodeId) => boolean | undefined): VoteResult {
  const incoming = majorityVote(voters.incoming, vote);
  const outgoing = majorityVote(voters.outgoing, vote);
  if (incoming === 'lost' || outgoing === 'lost') return 'lost';
  return incoming === 'won' && outgoing === 'won' ? 'won' : 'pending';
}

/** Whether `node` is in either half. */
export function isVoter(voters: Voters, node: NodeId): boolean {
  return voters.incoming.includes(node) || voters.outgoing.includes(node);
}

/** The highest position that a majority of `nodes` has acknowledged: the k-th largest, k being the size of a majority. */
export function majorityIndex(nodes: readonly NodeId[], acknowledged: (node: NodeId) => LogIndex): LogIndex {
  if (nodes.length === 0) return everything;
  const ascending: LogIndex[] = [];
  for (const node of nodes) {
    const index = acknowledged(node);
    let at = ascending.length;
    ascending.push(index);
    // Insertion sort: there are nine voters at most, and this runs for every acknowledgement.
    for (; at > 0; at -= 1) {
      const before = ascending[at - 1];
      if (before === undefined || before <= index) break;
      ascending[at] = before;
    }
    ascending[at] = index;
  }
  return ascending[nodes.length - majority(nodes.length)] ?? LogIndex(0);
}

export function majorityVote(nodes: readonly NodeId[], vote: (node: NodeId) => boolean | undefined): VoteResult {
  if (nodes.length === 0) return 'won';
  let yes = 0;
  let missing = 0;
  for (const node of nodes) {
    const answer = vote(node);
    if (answer === undefined) missing += 1;
    else if (answer) yes += 1;
  }
  if (yes >= majority(nodes.length)) return 'won';
  return yes + missing >= majority(nodes.length) ? 'pending' : 'lost';
}

function majority(count: number): number {
  return Math.floor(count / 2) + 1;
}
