import type { Expect } from '@lockstep/contract/engine';
import type { MountId } from '@lockstep/contract/ids';
import {
  bool,
  bytes,
  embed,
  type MessageCodec,
  message,
  optionalText,
  repeatedEmbed,
  text,
  uint,
} from '@lockstep/contract/wire';

/** What must hold, with the mount whose state it is about. `token-alive` is the host's own. */
export type HostExpect =
  | (Expect & { readonly mount: MountId })
  | { readonly kind: 'token-alive'; readonly tokenId: string };

export interface FactRecord {
  readonly mount: MountId;
  readonly factVersion: number;
  readonly fact: Uint8Array;
}

/** Remembers the outcome under an idempotency key. */
export interface Remembered {
  readonly key: string;
  /** JSON of the reply; undefined where it held a secret, or is the first fact's result. */
  readonly reply: string | undefined;
  readonly isFromResult: boolean;
  /** The version of the remembered record that this request supersedes; 0 for the first. */
  readonly supersedesVersion: number;
}

/** All that one request changes: applied as a whole, or not at all. */
export interface Transaction {
  readonly expects: readonly HostExpect[];
  readonly facts: readonly FactRecord[];
  readonly remembered: Remembered | undefined;
  /** Where the state that it was decided by was restored; 0 where it never was. It holds for no other. */
  readonly restoredIndex: number;
}

interface ExpectWire {
  readonly kind: number;
  readonly mount: string;
  readonly key: string;
  readonly number: number;
}

interface FactWire {
  readonly mount: string;
  readonly factVersion: number;
  readonly fact: Uint8Array;
}

interface TransactionWire {
  readonly expects: readonly ExpectWire[];
  readonly facts: readonly FactWire[];
  readonly remembered: Remembered | undefined;
  readonly restoredIndex: number;
}

const kinds = ['unchanged', 'absent', 'below', 'token-alive'] as const;

const expectWire: MessageCodec<ExpectWire> = message({ kind: uint(1), mount: text(2), key: text(3), number: uint(4) });
const factWire: MessageCodec<FactWire> = message({ mount: text(1), factVersion: uint(2), fact: bytes(3) });
const rememberedWire: MessageCodec<Remembered> = message({
  key: text(1),
  reply: optionalText(2),
  supersedesVersion: uint(3),
  isFromResult: bool(4),
});
/** The tables of protos/lockstep/log/v1/log.proto. */
export const transactionWire: MessageCodec<TransactionWire> = message({
  expects: repeatedEmbed(1, expectWire),
  facts: repeatedEmbed(2, factWire),
  remembered: embed(3, rememberedWire),
  restoredIndex: uint(4),
});

function toWire(expect: HostExpect): ExpectWire {
  const kind = kinds.indexOf(expect.kind) + 1;
  switch (expect.kind) {
    case 'unchanged':
      return { kind, mount: expect.mount, key: expect.key, number: expect.version };
    case 'absent':
      return { kind, mount: expect.mount, key: expect.key, number: 0 };
    case 'below':
      return { kind, mount: expect.mount, key: expect.key, number: expect.limit };
    case 'token-alive':
      return { kind, mount: '', key: expect.tokenId, number: 0 };
    default:
      return expect satisfies never;
  }
}

function fromWire(wire: ExpectWire): HostExpect {
  const mount = wire.mount as MountId;
  const kind = kinds[wire.kind - 1];
  switch (kind) {
    case 'unchanged':
      return { kind: 'unchanged', mount, key: wire.key, version: wire.number };
    case 'absent':
      return { kind: 'absent', mount, key: wire.key };
    case 'below':
      return { kind: 'below', mount, key: wire.key, limit: wire.number };
    case 'token-alive':
      return { kind: 'token-alive', tokenId: wire.key };
    case undefined:
      // A condition that this node doesn't know must never be taken for one that holds.
      throw new Error(`transaction has an unknown expectation ${wire.kind}`);
    default:
      return kind satisfies never;
  }
}

export function encodeTransaction(transaction: Transaction): Buffer {
  return transactionWire.encode({
    expects: transaction.expects.map(toWire),
    facts: transaction.facts,
    remembered: transaction.remembered,
    restoredIndex: transaction.restoredIndex,
  });
}

export function decodeTransaction(input: Uint8Array): Transaction {
  const wire = transactionWire.decode(input);
  return {
    expects: wire.expects.map(fromWire),
    facts: wire.facts.map((fact) => ({ mount: fact.mount as MountId, factVersion: fact.factVersion, fact: fact.fact })),
    remembered: wire.remembered,
    restoredIndex: wire.restoredIndex,
  };
}
