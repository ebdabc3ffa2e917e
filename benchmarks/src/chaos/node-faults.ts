// Loaded into a node by `node --import`, for tests only: gives the process a network address of its own.
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { faultFileName, type FaultFile } from './fault-file.ts';

if (isMainThread) {
  const config = process.argv[process.argv.indexOf('--config') + 1] ?? '';
  const settings: FaultFile = JSON.parse(readFileSync(join(dirname(config), faultFileName), 'utf8'));
  dialFrom(settings.source);
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
