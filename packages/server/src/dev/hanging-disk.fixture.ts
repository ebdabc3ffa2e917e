// Loaded into a node by `node --import`, for a test only: while the file HANG lies beside the node's configuration, no write of the log's
// marker file returns, as on a disk that hangs. Every vote and every later write of the log waits behind it.
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const config = process.argv[process.argv.indexOf('--config') + 1] ?? '';
const flag = join(dirname(config), 'HANG');
/** One slot of the marker file. */
const slotBytes = 40;

const handle = await open('/dev/null');
const prototype: { write: (...args: readonly unknown[]) => Promise<unknown> } = Object.getPrototypeOf(handle);
await handle.close();
const { write } = prototype;
prototype.write = async function hangingWrite(this: object, ...args: readonly unknown[]): Promise<unknown> {
  const [bytes] = args;
  if (bytes instanceof Uint8Array && bytes.length === slotBytes) while (existsSync(flag)) await pause(10);
  return await Reflect.apply(write, this, args);
};
