// Loaded into a node by `node --import`, for tests only: gives the process an address of its own to dial from, and a clock and a
// disk that fail when the fault file says so.
import { open } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';
import { patchSources } from '../patch-sources.ts';
import { type FaultFile, faultFileName, rereadEveryMs } from './fault-file.ts';

if (isMainThread) {
  const config = process.argv[process.argv.indexOf('--config') + 1] ?? '';
  const faults = watched(join(dirname(config), faultFileName));
  dialFrom(faults().source);
  bendClock(faults);
  await failDisk(faults);
  // Whoever limits the size of a process's files wants to see a write fail, not the process end by the signal's default.
  process.on('SIGXFSZ', () => undefined);
}

function watched(file: string): () => FaultFile {
  const read = (): FaultFile => JSON.parse(readFileSync(file, 'utf8'));
  let newest = read();
  setInterval(() => (newest = read()), rereadEveryMs).unref();
  return () => newest;
}

/** Everything that this process dials on loopback comes from `source`. */
function dialFrom(source: string): void {
  // oxlint-disable-next-line typescript/unbound-method -- it is called with the socket that it was called on
  const connect = Socket.prototype.connect;
  Socket.prototype.connect = function connectFrom(this: Socket, ...args: never[]): Socket {
    // net.connect() passes its own arguments on as one array.
    const [first]: readonly unknown[] = args;
    const options: unknown = Array.isArray(first) ? first[0] : first;
    if (isTarget(options) && options.host.startsWith('127.')) options.localAddress = source;
    return Reflect.apply(connect, this, args);
  };
}

function isTarget(options: unknown): options is { readonly host: string; localAddress?: string } {
  return typeof options === 'object' && options !== null && 'host' in options && typeof options.host === 'string';
}

/** The wall clock only: the monotonic one is right whatever somebody sets. */
function bendClock(faults: () => FaultFile): void {
  const now = Date.now;
  Date.now = () => {
    const { clock } = faults();
    const right = now();
    switch (clock.kind) {
      case 'right':
        return right;
      case 'off':
        return right + clock.byMs;
      case 'strobe':
        return right + (Math.floor(right / clock.everyMs) % 2 === 0 ? clock.byMs : -clock.byMs);
      default:
        return clock satisfies never;
    }
  };
}

/** Every synced write of LevelDB and every sync of a file goes by the fault file. */
async function failDisk(faults: () => FaultFile): Promise<void> {
  const sync = async <T>(honest: () => Promise<T>, unsynced: () => Promise<T>): Promise<T> => {
    const { disk } = faults();
    switch (disk.kind) {
      case 'sound':
        return await honest();
      case 'failing-sync':
        await unsynced();
        throw new Error('IO error: a fault of chaos: Input/output error');
      case 'slow-sync':
        await pause(disk.ms);
        return await honest();
      case 'stalled-sync':
        while (faults().disk.kind === 'stalled-sync') await pause(rereadEveryMs);
        return await honest();
      default:
        return disk satisfies never;
    }
  };
  const write: BatchWrite = (options, native) => {
    if (options.sync !== true) return native(options);
    return sync(
      () => native(options),
      () => native({ ...options, sync: false }),
    );
  };
  Object.assign(globalThis, { lockstepBatchWrite: write });
  await patchFileHandles(sync);
  patchLevelDb();
}

type BatchWrite = (
  options: { readonly sync?: boolean },
  native: (options: { readonly sync?: boolean }) => Promise<void>,
) => Promise<void>;

type Sync = (honest: () => Promise<void>, unsynced: () => Promise<void>) => Promise<void>;

async function patchFileHandles(sync: Sync): Promise<void> {
  const handle = await open('/dev/null');
  const prototype: { sync: () => Promise<void>; datasync: () => Promise<void> } = Object.getPrototypeOf(handle);
  await handle.close();
  for (const name of ['sync', 'datasync'] as const) {
    const native = prototype[name];
    prototype[name] = function synced(this: object): Promise<void> {
      return sync(
        () => Reflect.apply(native, this, []),
        () => Promise.resolve(),
      );
    };
  }
}

/** LevelDB writes below Node, so its own calls are where its disk can be made to fail. */
function patchLevelDb(): void {
  patchSources([
    {
      module: '/classic-level/chained-batch.js',
      from: 'return binding.batch_write(this[kContext], options)',
      to: 'return lockstepBatchWrite(options, (given) => binding.batch_write(this[kContext], given))',
    },
  ]);
}
