import type { Json } from '@lockstep/client/client';
import type { Command } from 'commander';
import { isObject } from '../api.ts';
import { command, type Connect } from '../command.ts';
import { json, printAnswer, rowsOf, table } from '../output.ts';
import { pairsOf, several, wholeNumber } from '../option-values.ts';
import { kvPath, kvSubcommand, type MountOption } from './kv-path.ts';

interface PutOptions extends MountOption {
  readonly maxVersions?: number;
  readonly casRequired?: string;
  readonly deleteVersionAfter?: string;
  readonly customMetadata?: readonly string[];
}

/** `kv metadata`: what is known of a secret beside its content. */
export function kvMetadataCommand(connect: Connect): Command {
  return command('metadata', "a secret's versions and settings", [])
    .addCommand(get(connect))
    .addCommand(put(connect))
    .addCommand(remove(connect));
}

function get(connect: Connect): Command {
  return kvSubcommand('get', 'show versions and settings', ['lockstep kv metadata get secret/app/db']).action(
    async (path: string, options: MountOption, self: Command) => {
      const session = connect(self);
      const answer = await session.api.call('read', await kvPath(session, 'metadata', path, options));
      if (session.format === 'json' || answer.data === undefined) {
        session.terminal.print(json(answer.body));
        return;
      }
      const { versions, ...settings } = answer.data;
      session.terminal.print(`====== Metadata ======\n${table(rowsOf(settings))}`);
      for (const [version, known] of Object.entries(isObject(versions) ? versions : {}))
        if (isObject(known)) session.terminal.print(`\n====== Version ${version} ======\n${table(rowsOf(known))}`);
    },
  );
}

function put(connect: Connect): Command {
  return kvSubcommand('put', 'change settings', [
    'lockstep kv metadata put -max-versions=5 -custom-metadata=owner=ops secret/app/db',
  ])
    .option('--max-versions <number>', 'versions to keep', wholeNumber)
    .option('--cas-required <true|false>', 'whether each write must say the version before it')
    .option('--delete-version-after <duration>', 'delete each version after this')
    .option('--custom-metadata <key=value>', 'may be given several times', several)
    .action(async (path: string, options: PutOptions, self: Command) => {
      const session = connect(self);
      const answer = await session.api.call(
        'write',
        await kvPath(session, 'metadata', path, options),
        fieldsOf(options),
      );
      printAnswer(session.terminal, answer, { format: session.format, done: `Success! Data written to: ${path}` });
    });
}

function fieldsOf(options: PutOptions): { [name: string]: Json } {
  return {
    ...(options.maxVersions === undefined ? {} : { max_versions: options.maxVersions }),
    ...(options.casRequired === undefined ? {} : { cas_required: options.casRequired }),
    ...(options.deleteVersionAfter === undefined ? {} : { delete_version_after: options.deleteVersionAfter }),
    ...(options.customMetadata === undefined ? {} : { custom_metadata: pairsOf(options.customMetadata) }),
  };
}

function remove(connect: Connect): Command {
  return kvSubcommand('delete', 'remove a secret with all its versions for good', [
    'lockstep kv metadata delete secret/app/db',
  ]).action(async (path: string, options: MountOption, self: Command) => {
    const session = connect(self);
    const answer = await session.api.call('delete', await kvPath(session, 'metadata', path, options));
    printAnswer(session.terminal, answer, {
      format: session.format,
      done: `Success! Data deleted (if it existed) at: ${path}`,
    });
  });
}
