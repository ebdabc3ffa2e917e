import type { Command } from 'commander';
import { command, type Connect } from '../command.ts';
import { parseKeyValues } from '../key-values.ts';
import { printAnswer, printKeys } from '../output.ts';

interface FieldOption {
  readonly field?: string;
}

/** `read`, `write`, `list`, `delete`: any route of the API. */
export function anyPathCommands(connect: Connect): readonly Command[] {
  const read = command('read', 'read any path', [
    'lockstep read pki/roles/web',
    'lockstep read -field=ttl auth/token/lookup-self',
  ])
    .argument('<path>')
    .argument('[key=value...]', 'parameters')
    .option('--field <name>', 'print this field alone')
    .action(async (path: string, args: string[], options: FieldOption, self: Command) => {
      const { api, format, terminal } = connect(self);
      const answer = await api.call('read', path, await parseKeyValues(args, terminal.readStdin));
      printAnswer(terminal, answer, { format, field: options.field, done: '' });
    });
  const write = command('write', 'write any path', [
    'lockstep write pki/issue/web common_name=a.example ttl=1h',
    'lockstep write sys/policies/acl/ops policy=@ops.hcl',
    'lockstep write -f sys/seal',
  ])
    .argument('<path>')
    .argument('[key=value...]', 'fields; key=@file, key=- (stdin), @file.json')
    .option('-f, --force', 'write without any fields')
    .option('--field <name>', 'print this field alone')
    .action(
      async (path: string, args: string[], options: FieldOption & { readonly force?: boolean }, self: Command) => {
        const { api, format, terminal } = connect(self);
        if (args.length === 0 && options.force !== true)
          self.error('error: give key=value fields, or --force for none');
        const answer = await api.call('write', path, await parseKeyValues(args, terminal.readStdin));
        printAnswer(terminal, answer, { format, field: options.field, done: `Success! Data written to: ${path}` });
      },
    );
  const list = command('list', 'list what is below a path', [
    'lockstep list pki/roles',
    'lockstep list secret/metadata/app',
  ])
    .argument('<path>')
    .action(async (path: string, _options: object, self: Command) => {
      const { api, format, terminal } = connect(self);
      printKeys(terminal, await api.call('list', path), format);
    });
  const remove = command('delete', 'delete any path', ['lockstep delete pki/roles/web'])
    .argument('<path>')
    .argument('[key=value...]', 'parameters')
    .action(async (path: string, args: string[], _options: object, self: Command) => {
      const { api, format, terminal } = connect(self);
      const answer = await api.call('delete', path, await parseKeyValues(args, terminal.readStdin));
      printAnswer(terminal, answer, { format, done: `Success! Data deleted (if it existed) at: ${path}` });
    });
  return [read, write, list, remove];
}
