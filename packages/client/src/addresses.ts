import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import type { ClientOptions } from './client.ts';

export interface Address {
  /** As it was given. */
  readonly spelled: string;
  readonly host: string;
  readonly port: number;
  readonly isPlain: boolean;
  readonly isIp: boolean;
}

/** `host:port`, with `https://` or `http://` in front or not. Throws a TypeError on anything else. */
export function parseAddress(spelled: string, defaultPort: number): Address {
  const found = /^(?:(https?):\/\/)?(\[[0-9a-fA-F:.]+\]|[^\s/:@[\]]+)(?::(\d{1,5}))?\/?$/.exec(spelled);
  const port = found?.[3] === undefined ? defaultPort : Number(found[3]);
  const host = found?.[2]?.replace(/^\[|\]$/g, '');
  if (found === null || host === undefined || port < 1 || port > 65_535)
    throw new TypeError(`address must be like node.example:${defaultPort}, not "${spelled}"`);
  return { spelled, host, port, isPlain: found[1] === 'http', isIp: isIP(host) !== 0 };
}

export function caOf(options: Pick<ClientOptions, 'caPem' | 'caFile'>): string | undefined {
  return options.caPem ?? (options.caFile === undefined ? undefined : readFileSync(options.caFile, 'utf8'));
}
