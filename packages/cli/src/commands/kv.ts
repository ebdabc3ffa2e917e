import type { JsonObject } from '@lockstep/client/client';
import { Command } from 'commander';
import { type Answer, objectIn } from '../api.ts';
import { command, type Connect, type Session } from '../command.ts';
import { Failure } from '../failure.ts';
import { parseKeyValues } from '../key-values.ts';
import { json, printAnswer, printField, printKeys, rowsOf, table } from '../output.ts';
import { versionList, wholeNumber } from '../option-values.ts';
import { kvMetadataCommand } from './kv-metadata.ts';
import { kvPath, kvSubcommand, type MountOption } from './kv-path.ts';

/** `kv`: versioned secrets. */
export function kvCommand(connect: Connect): Command {
  return command('kv', 'versioned secrets', [
    'lockstep kv put secret/app/db user=app password=@password.txt',
    'lockstep kv get -field=password secret/app/db',
    'lockstep kv get -mount=secret app/db',
  ])
    .addCommand(put(connect))
    .addCommand(patch(connect))
    .addCommand(get(connect))
    .addCommand(list(connect))
    .addCommand(remove(connect))
    .addCommand(onVersions(connect, 'undelete', 'bring deleted versions back'))
    .addCommand(onVersions(connect, 'destroy', 'remove the content of versions for good'))
    .addCommand(kvMetadataCommand(connect));
}

function put(connect: Connect): Command {
  return kvSubcommand('put', 'write a new version', [
    'lockstep kv put secret/app/db user=app password=-',
    'lockstep kv put -cas=0 secret/new @value.json',
  ])
    .argument('<key=value...>', 'the secret; key=@file, key=- (stdin), @file.json')
    .option('--cas <version>', 'only if this is the newest version (0: there is none)', wholeNumber)
    .option('--field <name>', 'print this field of the result alone')
    .action(
      async (
        path: string,
        args: string[],
        options: MountOption & { readonly cas?: number; readonly field?: string },
        self: Command,
      ) => {
        const session = connect(self);
        const data = await parseKeyValues(args, session.terminal.readStdin);
        const options_ = options.cas === undefined ? {} : { options: { cas: options.cas } };
        const answer = await session.api.call('write', await kvPath(session, 'data', path, options), {
          data,
          ...options_,
        });
        printAnswer(session.terminal, answer, { format: session.format, field: options.field, done: '' });
      },
    );
}

function patch(connect: Connect): Command {
  return kvSubcommand('patch', 'merge into the newest version', ['lockstep kv patch secret/app/db password=new'])
    .argument('<key=value...>', 'members to set')
    .action(async (path: string, args: string[], options: MountOption, self: Command) => {
      const session = connect(self);
      const data = await parseKeyValues(args, session.terminal.readStdin);
      const answer = await session.api.call('patch', await kvPath(session, 'data', path, options), { data });
      printAnswer(session.terminal, answer, { format: session.format, done: '' });
    });
}

function get(connect: Connect): Command {
  return kvSubcommand('get', 'read a version', [
    'lockstep kv get secret/app/db',
    'lockstep kv get -version=2 -field=password secret/app/db',
  ])
    .option('--version <number>', 'instead of the newest', wholeNumber)
    .option('--field <name>', 'print this field of the secret alone')
    .action(
      async (
        path: string,
        options: MountOption & { readonly version?: number; readonly field?: string },
        self: Command,
      ) => {
        const session = connect(self);
        const query = options.version === undefined ? {} : { version: options.version };
        printSecret(
          session,
          await session.api.call('read', await kvPath(session, 'data', path, options), query),
          options.field,
        );
      },
    );
}

/** The secret under a heading, its version under another, as Vault prints them. */
function printSecret({ terminal, format }: Session, answer: Answer, field: string | undefined): void {
  const secret = answer.data === undefined ? undefined : objectIn(answer.data, 'data');
  const metadata = answer.data === undefined ? undefined : objectIn(answer.data, 'metadata');
  if (field !== undefined) printField(terminal, secret, field);
  else if (format === 'json') terminal.print(json(answer.body));
  else if (secret === undefined)
    throw new Failure(2, 'this version was deleted', 'lockstep kv undelete brings it back.');
  else terminal.print(`${section('Metadata', metadata ?? {})}\n${section('Data', secret)}`);
}

function section(title: string, data: JsonObject): string {
  return `====== ${title} ======\n${table(rowsOf(data))}`;
}

function list(connect: Connect): Command {
  return kvSubcommand('list', 'list names below a path', ['lockstep kv list secret/app']).action(
    async (path: string, options: MountOption, self: Command) => {
      const session = connect(self);
      printKeys(
        session.terminal,
        await session.api.call('list', await kvPath(session, 'metadata', path, options)),
        session.format,
      );
    },
  );
}

function remove(connect: Connect): Command {
  return kvSubcommand('delete', 'mark versions as deleted (the newest unless given)', [
    'lockstep kv delete secret/app/db',
    'lockstep kv delete -versions=1,2 secret/app/db',
  ])
    .option('--versions <numbers>', 'separated by commas', versionList)
    .action(async (path: string, options: MountOption & { readonly versions?: readonly number[] }, self: Command) => {
      const session = connect(self);
      const done = `Success! Data deleted (if it existed) at: ${path}`;
      const answer =
        options.versions === undefined
          ? await session.api.call('delete', await kvPath(session, 'data', path, options))
          : await session.api.call('write', await kvPath(session, 'delete', path, options), {
              versions: options.versions,
            });
      printAnswer(session.terminal, answer, { format: session.format, done });
    });
}

function onVersions(connect: Connect, name: 'undelete' | 'destroy', summary: string): Command {
  return kvSubcommand(name, summary, [`lockstep kv ${name} -versions=1,2 secret/app/db`])
    .requiredOption('--versions <numbers>', 'separated by commas', versionList)
    .action(async (path: string, options: MountOption & { readonly versions: readonly number[] }, self: Command) => {
      const session = connect(self);
      const answer = await session.api.call('write', await kvPath(session, name, path, options), {
        versions: options.versions,
      });
      printAnswer(session.terminal, answer, { format: session.format, done: `Success! Data written to: ${path}` });
    });
}
