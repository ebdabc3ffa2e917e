import { LockstepError } from '@lockstep/contract/errors';

/** LevelDB's tables in force, by number, with their sizes in bytes. */
export type LiveTables = ReadonlyMap<number, number>;

/*
 * A manifest is a log of edits (db/version_edit.cc), each a list of tagged fields. What matters here is which tables they add and
 * take away; the rest is only read over.
 */
const comparator = 1;
const logNumber = 2;
const nextFileNumber = 3;
const lastSequence = 4;
const compactPointer = 5;
const deletedTable = 6;
const newTable = 7;
const previousLogNumber = 9;

/** Which tables are in force after the edits of the manifest `file`. Refuses with `damaged` an edit that can't be read. */
export function liveTables(file: string, edits: readonly Uint8Array[]): LiveTables {
  const live = new Map<number, number>();
  for (const edit of edits) applyEdit(live, new FieldReader(file, edit));
  return live;
}

function applyEdit(live: Map<number, number>, fields: FieldReader): void {
  while (!fields.isAtEnd) {
    const tag = fields.varint();
    switch (tag) {
      case comparator:
        fields.skipBytes();
        break;
      case logNumber:
      case nextFileNumber:
      case lastSequence:
      case previousLogNumber:
        fields.varint();
        break;
      case compactPointer:
        fields.varint();
        fields.skipBytes();
        break;
      case deletedTable:
        fields.varint();
        live.delete(fields.varint());
        break;
      case newTable: {
        fields.varint();
        const number = fields.varint();
        live.set(number, fields.varint());
        fields.skipBytes();
        fields.skipBytes();
        break;
      }
      default:
        throw fields.refusal(`has an edit with the unknown field ${tag}`);
    }
  }
}

/** Reads LevelDB's variable-length numbers and texts. */
export class FieldReader {
  readonly #file: string;
  readonly #bytes: Uint8Array;
  #at: number;

  constructor(file: string, bytes: Uint8Array, at = 0) {
    this.#file = file;
    this.#bytes = bytes;
    this.#at = at;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  get at(): number {
    return this.#at;
  }

  /** Seven bits a byte, the lowest first. */
  varint(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 70; scale *= 128) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw this.refusal('has a number that does not end');
  }

  /** A text or key, with its length before it. */
  skipBytes(): void {
    this.skip(this.varint());
  }

  skip(length: number): void {
    this.#at += length;
    if (this.#at > this.#bytes.length) throw this.refusal('has a field that does not end');
  }

  refusal(how: string): LockstepError {
    return new LockstepError('damaged', `${this.#file} is damaged: it ${how}`);
  }
}
