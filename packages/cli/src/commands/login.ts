import { renameSync, rmSync, writeFileSync } from 'node:fs';
import type { JsonObject } from '@lockstep/client/client';
import type { Command } from 'commander';
import type { Answer } from '../api.ts';
import { command, type Connect, type Session } from '../command.ts';
import { exitRemote, Failure, localFailure } from '../failure.ts';
import { json, printField, rowsOf, spelled, table } from '../output.ts';
import { tokenFilePath } from '../settings.ts';

interface LoginOptions {
  readonly method: string;
  readonly store: boolean;
  readonly print: boolean;
  readonly field?: string;
}

/** `login`: tries a token, and keeps it in the file that every later command reads. */
export function loginCommand(connect: Connect): Command {
  return command('login', 'try a token and keep it in ~/.vault-token for later commands', [
    'lockstep login',
    'lockstep login - < token.txt',
    'lockstep login -no-store -field=token_policies',
  ])
    .argument('[token]', '- reads stdin; asked for when not given (an argument stays in the shell history)')
    .option('--method <name>', 'only token so far', 'token')
    .option('--no-store', 'only try it')
    .option('--no-print', 'print nothing')
    .option('--field <name>', 'print this field alone (token, token_policies, …)')
    .action(async (given: string | undefined, options: LoginOptions, self: Command) => {
      if (options.method !== 'token') throw localFailure(`method must be token, not "${options.method}"`);
      const session = connect(self);
      const presented = await tokenOf(given, session.terminal);
      const answer = await session.api.withToken(presented).call('read', 'auth/token/lookup-self');
      const token = answer.data?.['id'];
      if (typeof token !== 'string' || token === '')
        throw new Failure(exitRemote, 'the node does not tell the token that it was shown, so it is not kept');
      if (options.store) keepToken(session, token);
      if (options.print) printLogin(session, answer, options);
    });
}

async function tokenOf(given: string | undefined, terminal: Session['terminal']): Promise<string> {
  if (given !== undefined && given !== '-') return given.trim();
  const typed =
    given === undefined && terminal.askHidden !== undefined
      ? await terminal.askHidden('Token (will be hidden): ')
      : await terminal.readStdin();
  if (typed.trim() === '')
    throw localFailure('no token was given', 'Type it when asked for, or send it: lockstep login - < token.txt');
  return typed.trim();
}

/** Whole or not at all, and readable by its owner only, whatever stood there before. */
function keepToken({ terminal }: Session, token: string): void {
  const file = tokenFilePath(terminal.homeDirectory);
  const unfinished = `${file}.${process.pid}`;
  try {
    writeFileSync(unfinished, token, { mode: 0o600, flag: 'wx' });
    renameSync(unfinished, file);
  } catch (cause) {
    rmSync(unfinished, { force: true });
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unwritable';
    throw localFailure(`cannot write the file ${file} (${code})`, 'Use --no-store, or set LOCKSTEP_TOKEN.');
  }
  const stronger = ['LOCKSTEP_TOKEN', 'VAULT_TOKEN'].find((name) => (terminal.environment[name] ?? '') !== '');
  if (stronger !== undefined)
    terminal.printError(`WARNING! ${stronger} is set: later commands take that token, not the one kept now.\n`);
}

function printLogin({ terminal, format }: Session, answer: Answer, { field }: LoginOptions): void {
  const fields = loginFields(answer.data ?? {});
  if (field !== undefined) printField(terminal, fields, field);
  else if (format === 'json') terminal.print(json(answer.body));
  else terminal.print(table(rowsOf(fields)));
}

/** Under the names that Vault's command line shows. */
function loginFields(data: JsonObject): JsonObject {
  return {
    token: data['id'],
    token_accessor: data['accessor'],
    token_duration: data['ttl'] === 0 ? '∞' : `${spelled(data['ttl'])}s`,
    token_renewable: data['renewable'],
    token_policies: data['policies'],
    policies: data['policies'],
  };
}
