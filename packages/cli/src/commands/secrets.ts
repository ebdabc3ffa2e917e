import { type Command, Option } from 'commander';
import { isObject } from '../api.ts';
import { command, type Connect } from '../command.ts';
import { json, printAnswer, type Row, spelled, table } from '../output.ts';

interface EnableOptions {
  readonly path?: string;
  readonly description?: string;
  readonly defaultLeaseTtl?: string;
  readonly maxLeaseTtl?: string;
}

/** `secrets`: engines and where they are mounted. */
export function secretsCommand(connect: Connect): Command {
  return command('secrets', 'engines and where they are mounted', [
    'lockstep secrets enable -max-lease-ttl=87600h pki',
    'lockstep secrets enable -path=team/kv kv',
  ])
    .addCommand(enable(connect))
    .addCommand(tune(connect))
    .addCommand(disable(connect))
    .addCommand(list(connect));
}

function enable(connect: Connect): Command {
  return command('enable', 'mount an engine', [
    'lockstep secrets enable kv',
    'lockstep secrets enable -path=pki-int -max-lease-ttl=8760h pki',
  ])
    .argument('<type>', 'kv (version 2), pki')
    .option('--path <path>', 'where; the type unless given')
    .option('--description <text>')
    .addOption(defaultLease())
    .addOption(maxLease())
    .action(async (given: string, options: EnableOptions, self: Command) => {
      const { api, format, terminal } = connect(self);
      const type = given === 'kv-v2' ? 'kv' : given;
      const path = (options.path ?? type).replace(/\/+$/, '');
      const config = leases(options);
      const answer = await api.call('write', `sys/mounts/${path}`, {
        type,
        ...(options.description === undefined ? {} : { description: options.description }),
        ...(Object.keys(config).length === 0 ? {} : { config }),
        ...(type === 'kv' ? { options: { version: '2' } } : {}),
      });
      printAnswer(terminal, answer, { format, done: `Success! Enabled the ${type} secrets engine at: ${path}/` });
    });
}

function tune(connect: Connect): Command {
  return command('tune', "change a mount's settings; what is not given stays", [
    'lockstep secrets tune -max-lease-ttl=87600h pki',
  ])
    .argument('<path>')
    .option('--description <text>')
    .addOption(defaultLease())
    .addOption(maxLease())
    .action(async (path: string, options: EnableOptions, self: Command) => {
      const { api, format, terminal } = connect(self);
      const at = path.replace(/\/+$/, '');
      const answer = await api.call('write', `sys/mounts/${at}/tune`, {
        ...leases(options),
        ...(options.description === undefined ? {} : { description: options.description }),
      });
      printAnswer(terminal, answer, { format, done: `Success! Tuned the secrets engine at: ${at}/` });
    });
}

function defaultLease(): Option {
  return new Option('--default-lease-ttl <duration>', 'of what is asked for without a ttl (768h unless set)');
}

function maxLease(): Option {
  return new Option('--max-lease-ttl <duration>', 'nothing lives longer, certificates included (768h unless set)');
}

function leases(options: EnableOptions): { readonly [name: string]: string } {
  return {
    ...(options.defaultLeaseTtl === undefined ? {} : { default_lease_ttl: options.defaultLeaseTtl }),
    ...(options.maxLeaseTtl === undefined ? {} : { max_lease_ttl: options.maxLeaseTtl }),
  };
}

function disable(connect: Connect): Command {
  return command('disable', 'remove an engine with all that it holds', ['lockstep secrets disable pki-int'])
    .argument('<path>')
    .action(async (path: string, _options: object, self: Command) => {
      const { api, format, terminal } = connect(self);
      const answer = await api.call('delete', `sys/mounts/${path.replace(/\/+$/, '')}`);
      printAnswer(terminal, answer, {
        format,
        done: `Success! Disabled the secrets engine (if it existed) at: ${path}`,
      });
    });
}

function list(connect: Connect): Command {
  return command('list', 'list engines', []).action(async (_options: object, self: Command) => {
    const { api, format, terminal } = connect(self);
    const { data = {} } = await api.call('read', 'sys/mounts');
    if (format === 'json') {
      terminal.print(json(data));
      return;
    }
    const rows = Object.keys(data)
      .toSorted()
      .map((path): Row => {
        const mount = data[path];
        return isObject(mount)
          ? [path, `${spelled(mount['type']).padEnd(12)}${spelled(mount['description'] ?? '')}`]
          : [path, mount];
      });
    terminal.print(table(rows, ['Path', 'Type        Description']));
  });
}
