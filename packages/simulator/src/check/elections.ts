import type { NodeId } from '@lockstep/contract/ids';
import { insist } from '../violation.ts';
import { type Voting, votingText } from './membership-model.ts';
import { hasQuorum } from './quorums.ts';

interface Leader {
  readonly node: NodeId;
  readonly run: number;
}

/** Who voted for whom and who led, in every term of a whole run: nodes forget, this does not. */
export class Elections {
  readonly #leaders = new Map<number, Leader>();
  /** For each term, each voter's candidate. */
  readonly #votes = new Map<number, Map<NodeId, NodeId>>();
  readonly #begun = new Set<number>();
  count = 0;

  leaderOf(term: number): Leader | undefined {
    return this.#leaders.get(term);
  }

  /** `voter` gives its vote of `term`, or, as a candidate, keeps it. Judged when it is given, over all runs of the node. */
  voted(voter: NodeId, term: number, candidate: NodeId): void {
    const votes = this.#votes.get(term) ?? new Map<NodeId, NodeId>();
    this.#votes.set(term, votes);
    const known = votes.get(voter);
    insist(
      '2 a node votes once in a term',
      known === undefined || known === candidate,
      () => `node ${voter} voted for ${known} and for ${candidate} in term ${term}`,
    );
    votes.set(voter, candidate);
  }

  /** A node is a candidate of its own in this term. Until it is elected its vote is not given: a crash may take it back. */
  began(term: number): void {
    this.#begun.add(term);
  }

  /** A node that enters a term that nobody began has made it up. */
  entered(id: NodeId, term: number): void {
    insist(
      'a term is begun by a candidate',
      term === 0 || this.#begun.has(term),
      () => `node ${id} enters term ${term}, in which nobody is a candidate`,
    );
  }

  /** A node begins to lead. */
  elected(leader: Leader, term: number, voting: Voting): void {
    const { node } = leader;
    this.count++;
    const known = this.#leaders.get(term);
    insist(
      '1 one leader in a term',
      known === undefined,
      () => `term ${term} is led by ${known?.node} (run ${known?.run}) and by ${node} (run ${leader.run})`,
    );
    this.#leaders.set(term, leader);
    this.voted(node, term, node);
    const votes = this.#votes.get(term);
    insist(
      '18 a leader has the votes of a quorum of voters',
      hasQuorum(voting, (voter) => votes?.get(voter) === node),
      () =>
        `node ${node} leads term ${term} by ${[...(votes ?? [])].join('; ')} (voter, candidate) in ${votingText(voting)}`,
    );
  }

  /** A node says what only the leader of a term says. */
  spoke(leader: Leader, term: number): void {
    const known = this.#leaders.get(term);
    // It may have led for less than a turn.
    if (known === undefined) this.#leaders.set(term, leader);
    insist(
      '1 one leader in a term',
      known === undefined || known.node === leader.node,
      () => `node ${leader.node} speaks as the leader of term ${term}, which is ${known?.node}`,
    );
  }
}
