import type { Agenda } from './agenda.ts';
import type { ClientOperation } from './history.ts';
import type { Outcome } from './key-value.ts';
import { clientTimeoutMs, retriesMax } from './limits.ts';
import type { Transaction } from './machine-entry.ts';
import type { Random } from './random.ts';
import type { ReadResult, Servers, WriteResult } from './servers.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { Swarm } from './swarm.ts';
import type { Trace } from './trace.ts';
import type { RegisterInput, RegisterOutput } from './versioned-register.ts';

export interface ClientsOptions {
  readonly agenda: Agenda;
  readonly random: Random;
  readonly trace: Trace;
  readonly servers: Servers;
  readonly nodes: () => readonly SimulatedNode[];
}

type Operation = ClientOperation<RegisterInput, RegisterOutput>;

/** What a client wants written. `request` 0: it asks once and does not repeat. */
interface Write {
  readonly client: string;
  readonly request: number;
  readonly key: string;
  readonly expected: number | undefined;
  /** What no other write writes. */
  readonly token: string;
}

/**
 * Clients of the cluster. Each asks, waits for the answer, thinks, and asks again; one whose write has an unknown outcome may
 * repeat it on another node, as the same request. All that they did and were told is `history`.
 */
export class Clients {
  readonly counts = { applied: 0, refused: 0, unknown: 0, repeated: 0, read: 0, readRefused: 0, restored: 0 };
  /** By number: those that are under way are unknown so far, those that were refused are gone. */
  readonly #operations = new Map<number, Operation>();
  readonly #options: ClientsOptions;
  #operationCount = 0;
  #attempts = 0;
  #tokens = 0;

  constructor(options: ClientsOptions) {
    this.#options = options;
  }

  get history(): readonly Operation[] {
    return [...this.#operations.values()];
  }

  begin(swarm: Swarm, isOver: () => boolean): void {
    for (let client = 0; client < swarm.clients; client++) this.#live(`c${client}`, swarm, isOver);
  }

  /** One write without repeats, through one node. */
  write(node: SimulatedNode, keys: number, done: (isApplied: boolean) => void): void {
    const write = this.#newWrite('o', 0, keys);
    const number = this.#called(write);
    this.#attempt(node, write, (result) => {
      this.#wrote(number, result);
      done(result.kind === 'applied');
    });
  }

  read(node: SimulatedNode, keys: number, done: (isRead: boolean) => void): void {
    this.#read('o', { node, keys }, done);
  }

  /** Orders, through one node, that every key has what `saved` holds of it: a write of each, all at one place of the log. */
  restore(node: SimulatedNode, saved: ReadonlyMap<string, string>): void {
    const { agenda, trace, servers } = this.#options;
    const mark = `r${this.#tokens++}`;
    const writes = [...saved].map(([key, value]) => {
      const write = { client: 'o', request: 0, key, expected: undefined, token: `${mark}=${value}` };
      const number = this.#called(write);
      const transaction: Transaction = { id: `${mark}.${key}`, ...write, value: write.token };
      const done = once((result: WriteResult) => {
        this.#wrote(number, result);
        if (result.kind === 'applied') this.counts.restored++;
      });
      agenda.after(clientTimeoutMs, () => done({ kind: 'unknown' }));
      return { transaction, done };
    });
    trace.note(agenda.nowMs, 'restore', node.id, mark);
    servers.restore(node, writes);
  }

  #live(client: string, swarm: Swarm, isOver: () => boolean): void {
    const { agenda, random } = this.#options;
    let requests = 0;
    const next = (): void => {
      if (isOver()) return;
      agenda.after(random.around(swarm.thinkMs), () => {
        const node = this.#anyNode();
        const isPatient = random.chance(swarm.patience);
        const answered = isPatient ? next : (): void => undefined;
        if (node === undefined || !isPatient) next();
        if (node === undefined) return;
        if (random.chance(swarm.readShare)) return this.#read(client, { node, keys: swarm.keys }, answered);
        // Only who waits for each answer can repeat: its requests take effect one after the other.
        const repeats = isPatient && random.chance(swarm.repeatShare) ? retriesMax : 0;
        const request = repeats > 0 ? ++requests : 0;
        this.#writeRepeatedly(this.#newWrite(client, request, swarm.keys), repeats, { node, answered });
      });
    };
    next();
  }

  #newWrite(client: string, request: number, keys: number): Write {
    const { random } = this.#options;
    const expected = random.chance(0.2) ? random.below(8) : undefined;
    const token = `w${this.#tokens++}${'x'.repeat(random.below(200))}`;
    return { client, request, key: `k${random.below(keys)}`, expected, token };
  }

  #writeRepeatedly(
    write: Write,
    repeats: number,
    first: { readonly node: SimulatedNode; readonly answered: () => void },
  ): void {
    const { agenda } = this.#options;
    const number = this.#called(write);
    let isUnknown = false;
    const attempt = (node: SimulatedNode, left: number): void =>
      this.#attempt(node, write, (result) => {
        isUnknown ||= result.kind === 'unknown';
        const other = left > 0 && isUnknown && result.kind !== 'applied' ? this.#anyNode() : undefined;
        if (other !== undefined) {
          this.counts.repeated++;
          agenda.after(repeatAfterMs, () => attempt(other, left - 1));
          return;
        }
        // An attempt that was refused says nothing of an earlier one.
        this.#wrote(number, isUnknown && result.kind === 'refused' ? { kind: 'unknown' } : result);
        first.answered();
      });
    attempt(first.node, repeats);
  }

  #attempt(node: SimulatedNode, write: Write, done: (result: WriteResult) => void): void {
    const { agenda, trace, servers } = this.#options;
    const { client, request, key, expected, token } = write;
    const id = `t${this.#attempts++}`;
    const transaction: Transaction = { id, client, request, key, expected, value: token };
    const answer = once((result: WriteResult) => {
      trace.note(agenda.nowMs, result.kind, id, node.id);
      this.counts[result.kind]++;
      done(result);
    });
    agenda.after(clientTimeoutMs, () => answer({ kind: 'unknown' }));
    servers.write(node, transaction, answer);
  }

  #read(
    client: string,
    of: { readonly node: SimulatedNode; readonly keys: number },
    done: (isRead: boolean) => void,
  ): void {
    const { agenda, random, trace, servers } = this.#options;
    const key = `k${random.below(of.keys)}`;
    const calledAt = agenda.nowMs;
    const answer = once((result: ReadResult) => {
      trace.note(agenda.nowMs, result.kind, key, of.node.id);
      if (result.kind === 'read') this.counts.read++;
      else this.counts.readRefused++;
      if (result.kind === 'read') {
        const { version, value } = result.found ?? { version: 0, value: '' };
        const output = { kind: 'found', version, value } as const;
        const read = { client, key, calledAt, returnedAt: agenda.nowMs, input: { kind: 'read' }, output } as const;
        this.#operations.set(this.#operationCount++, read);
      }
      done(result.kind === 'read');
    });
    agenda.after(clientTimeoutMs, () => answer({ kind: 'unknown' }));
    servers.read(of.node, key, answer);
  }

  /** A write is under way: whatever comes of it, it may take effect from now on. */
  #called({ client, key, expected, token }: Write): number {
    const number = this.#operationCount++;
    const input: RegisterInput =
      expected === undefined ? { kind: 'write', value: token } : { kind: 'check-and-set', expected, value: token };
    const calledAt = this.#options.agenda.nowMs;
    this.#operations.set(number, { client, key, calledAt, returnedAt: undefined, input, output: undefined });
    return number;
  }

  /** What was certainly refused did not happen: it is no part of the history. */
  #wrote(number: number, result: WriteResult): void {
    const operation = this.#operations.get(number);
    if (operation === undefined) return;
    if (result.kind === 'refused') this.#operations.delete(number);
    if (result.kind !== 'applied') return;
    const output = outputOf(result.outcome);
    this.#operations.set(number, { ...operation, returnedAt: this.#options.agenda.nowMs, output });
  }

  #anyNode(): SimulatedNode | undefined {
    const up = this.#options.nodes().filter((node) => node.isUp);
    return up[this.#options.random.below(up.length)];
  }
}

/** How long a client waits before it repeats a write. */
const repeatAfterMs = 20;

function outputOf(outcome: Outcome): RegisterOutput {
  return outcome.kind === 'mismatch' ? { kind: 'mismatch' } : outcome;
}

function once<Result>(answer: (result: Result) => void): (result: Result) => void {
  let isAnswered = false;
  return (result) => {
    if (isAnswered) return;
    isAnswered = true;
    answer(result);
  };
}
