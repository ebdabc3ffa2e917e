import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { localFailure } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** Options of every command. */
export interface GlobalOptions {
  readonly address?: string;
  readonly caCert?: string;
  readonly namespace?: string;
  readonly format?: string;
  readonly tlsSkipVerify?: boolean;
}

export interface Settings {
  readonly address: string;
  readonly token: string | undefined;
  readonly caFile: string | undefined;
  readonly namespace: string | undefined;
  readonly skipVerify: boolean;
  readonly serverName: string | undefined;
  readonly timeoutMs: number;
}

export type Format = 'table' | 'json';

const addressDefault = 'https://127.0.0.1:8200';
const timeoutMsDefault = 60_000;

/** Options first, then `LOCKSTEP_…`, then `VAULT_…`; the token last from the file that `vault login` writes. */
export function readSettings(options: GlobalOptions, terminal: Terminal): Settings {
  const named = (name: string): string | undefined => environmentValue(terminal, name);
  return {
    address: options.address ?? named('ADDR') ?? addressDefault,
    token: named('TOKEN') ?? tokenFile(terminal.homeDirectory),
    caFile: options.caCert ?? named('CACERT'),
    namespace: options.namespace ?? named('NAMESPACE'),
    skipVerify: options.tlsSkipVerify ?? isTrue('SKIP_VERIFY', named('SKIP_VERIFY')),
    serverName: named('TLS_SERVER_NAME'),
    timeoutMs: timeoutOf(named('CLIENT_TIMEOUT')),
  };
}

export function readFormat(options: GlobalOptions, terminal: Terminal): Format {
  const format = options.format ?? environmentValue(terminal, 'FORMAT') ?? 'table';
  if (format !== 'table' && format !== 'json') throw localFailure(`format must be table or json, not "${format}"`);
  return format;
}

function environmentValue({ environment }: Terminal, name: string): string | undefined {
  return environment[`LOCKSTEP_${name}`] || environment[`VAULT_${name}`] || undefined;
}

function isTrue(name: string, value: string | undefined): boolean {
  if (value === undefined || /^(0|f|false)$/i.test(value)) return false;
  if (/^(1|t|true)$/i.test(value)) return true;
  throw localFailure(`${name} must be true or false, not "${value}"`);
}

function timeoutOf(value: string | undefined): number {
  if (value === undefined) return timeoutMsDefault;
  const seconds = /^(\d{1,5})s?$/.exec(value)?.[1];
  if (seconds === undefined || seconds === '0')
    throw localFailure(`CLIENT_TIMEOUT must be seconds, like 60, not "${value}"`);
  return Number(seconds) * 1000;
}

/** Where `login` keeps the token, as `vault login` does. */
export function tokenFilePath(home: string): string {
  return join(home, '.vault-token');
}

function tokenFile(home: string): string | undefined {
  const file = tokenFilePath(home);
  return existsSync(file) ? readFileSync(file, 'utf8').trim() || undefined : undefined;
}
