import { assert, LockstepError } from '@lockstep/contract/errors';
import { type MountId, type NamespaceId, rootNamespace } from '@lockstep/contract/ids';
import type { WritableState } from '@lockstep/contract/state';
import { valueBytesMax } from './limits.ts';
import { checkKey, mountPrefix } from './state-key.ts';
import type { StoredCell } from './stored-value.ts';

interface Undo {
  readonly fullKey: string;
  /** What this entry had written there before; undefined: nothing. */
  readonly before: Written | undefined;
}

/** A value of undefined is a deletion. */
interface Written {
  readonly value: Uint8Array | undefined;
}

/** Folds one log entry into the state. Reads see what the entry has written so far. Nothing is stored before the entry ends. */
export class EntryWriter {
  /** What every value that the entry writes has. */
  readonly #version: number;
  readonly #load: (fullKey: string) => StoredCell | undefined;
  /** What was read, once. */
  readonly #loaded = new Map<string, StoredCell | undefined>();
  readonly #writes = new Map<string, Written>();
  readonly #mounts = new Map<string, WritableState>();
  readonly #undo: Undo[] = [];
  #savepoint: number | undefined;

  constructor(version: number, load: (fullKey: string) => StoredCell | undefined) {
    this.#version = version;
    this.#load = load;
  }

  /** Begins a transaction; the one before must have ended. */
  begin(): void {
    assert(this.#savepoint === undefined, 'a transaction begins after the one before has ended');
    this.#savepoint = this.#undo.length;
  }

  commit(): void {
    assert(this.#savepoint !== undefined, 'a transaction is committed after it began');
    this.#savepoint = undefined;
  }

  /** Takes back all that was written since `begin`. */
  rollback(): void {
    assert(this.#savepoint !== undefined, 'a transaction is rolled back after it began');
    while (this.#undo.length > this.#savepoint) {
      const last = this.#undo.pop();
      if (last === undefined) break;
      if (last.before === undefined) this.#writes.delete(last.fullKey);
      else this.#writes.set(last.fullKey, last.before);
    }
    this.#savepoint = undefined;
  }

  /** The mount's state, to read and write. `put` and `delete` refuse bad keys and values by bounds that are the same on every node. */
  mount(mount: MountId, namespace: NamespaceId = rootNamespace): WritableState {
    const prefix = mountPrefix(namespace, mount);
    const known = this.#mounts.get(prefix);
    if (known !== undefined) return known;
    const state: WritableState = {
      get: (key) => this.#read(prefix + key),
      put: (key, value) => this.#put(prefix, key, value),
      delete: (key) => this.#write(prefix, key, undefined),
    };
    this.#mounts.set(prefix, state);
    return state;
  }

  /** Tells the last write from all others, this entry's included; 0 when the key is absent. */
  version(mount: MountId, key: string, namespace: NamespaceId = rootNamespace): number {
    const fullKey = mountPrefix(namespace, mount) + key;
    const written = this.#writes.get(fullKey);
    if (written !== undefined) return written.value === undefined ? 0 : this.#version;
    return this.before(fullKey)?.version ?? 0;
  }

  /** What stood there before the entry. */
  before(fullKey: string): StoredCell | undefined {
    if (this.#loaded.has(fullKey)) return this.#loaded.get(fullKey);
    const cell = this.#load(fullKey);
    this.#loaded.set(fullKey, cell);
    return cell;
  }

  /** What the entry comes to, by full key. */
  writes(): ReadonlyMap<string, Written> {
    assert(this.#savepoint === undefined, 'an entry ends after its transactions');
    return this.#writes;
  }

  #read(fullKey: string): Uint8Array | undefined {
    const written = this.#writes.get(fullKey);
    return written === undefined ? this.before(fullKey)?.value : written.value;
  }

  #put(prefix: string, key: string, value: Uint8Array): void {
    if (value.length > valueBytesMax)
      throw new LockstepError('too-large', `a state value has at most ${valueBytesMax} bytes, not ${value.length}`);
    this.#write(prefix, key, value);
  }

  #write(prefix: string, key: string, value: Uint8Array | undefined): void {
    checkKey(key);
    const fullKey = prefix + key;
    if (this.#savepoint !== undefined) this.#undo.push({ fullKey, before: this.#writes.get(fullKey) });
    this.#writes.set(fullKey, { value });
  }
}
