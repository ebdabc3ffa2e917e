import type { JsonObject, Operation } from '@lockstep/client/client';
import type { Command } from 'commander';
import { command, type Connect } from '../command.ts';
import { parseKeyValues } from '../key-values.ts';
import { printAnswer, printKeys } from '../output.ts';

interface PkiOptions {
  readonly mount: string;
  readonly field?: string;
}

/** `pki`: certificates. Fields beyond those named are the API's, as key=value. */
export function pkiCommand(connect: Connect): Command {
  return command('pki', 'certificates', [
    'lockstep secrets enable -max-lease-ttl=87600h pki',
    'lockstep pki generate-root "Example CA" key_type=ec ttl=87600h',
    'lockstep pki role put web allowed_domains=example.com allow_subdomains=true key_type=ec',
    'lockstep pki issue web common_name=a.example.com ttl=24h',
  ])
    .addCommand(generateRoot(connect))
    .addCommand(role(connect))
    .addCommand(issue(connect))
    .addCommand(sign(connect))
    .addCommand(
      simple(connect, {
        name: 'get',
        summary: 'show a certificate',
        argument: 'serial',
        operation: 'read',
        path: (serial) => `cert/${serial}`,
      }),
    )
    .addCommand(listing(connect, { name: 'list', summary: 'list serial numbers', path: 'certs' }))
    .addCommand(revoke(connect))
    .addCommand(document(connect, { name: 'crl', summary: 'print the revocation list (PEM)', path: 'crl/pem' }))
    .addCommand(document(connect, { name: 'ca', summary: "print the authority's certificate (PEM)", path: 'ca/pem' }));
}

function pkiSubcommand(name: string, summary: string, examples: readonly string[] = []): Command {
  return command(name, summary, examples).option('--mount <path>', 'where the engine is mounted', 'pki');
}

function generateRoot(connect: Connect): Command {
  return pkiSubcommand('generate-root', 'make an authority that signs itself', [
    'lockstep secrets tune -max-lease-ttl=87600h pki',
    'lockstep pki generate-root "Example CA" key_type=ec ttl=87600h',
  ])
    .argument('<common-name>')
    .argument('[key=value...]', 'further fields')
    .option('--field <name>', 'print this field alone')
    .action(async (name: string, args: string[], options: PkiOptions, self: Command) => {
      const { api, format, terminal } = connect(self);
      const fields = { common_name: name, ...(await parseKeyValues(args, terminal.readStdin)) };
      const answer = await api.call('write', `${options.mount}/root/generate/internal`, fields);
      printAnswer(terminal, answer, { format, field: options.field, done: '' });
    });
}

function role(connect: Connect): Command {
  const put = pkiSubcommand('put', 'create or replace a role', [
    'lockstep pki role put web allow_any_name=true key_type=ec max_ttl=72h',
  ])
    .argument('<name>')
    .argument('[key=value...]', "the role's fields")
    .action(async (name: string, args: string[], options: PkiOptions, self: Command) => {
      const { api, format, terminal } = connect(self);
      const answer = await api.call(
        'write',
        `${options.mount}/roles/${name}`,
        await parseKeyValues(args, terminal.readStdin),
      );
      if (format === 'table') terminal.print(`Success! Role written: ${name}\n`);
      printAnswer(terminal, { ...answer, ...(format === 'table' ? { data: undefined } : {}) }, { format, done: '' });
    });
  return command('role', 'what may be asked for', [])
    .addCommand(put)
    .addCommand(
      simple(connect, {
        name: 'get',
        summary: 'show a role',
        argument: 'name',
        operation: 'read',
        path: (name) => `roles/${name}`,
      }),
    )
    .addCommand(listing(connect, { name: 'list', summary: 'list roles', path: 'roles' }))
    .addCommand(
      simple(connect, {
        name: 'delete',
        summary: 'delete a role',
        argument: 'name',
        operation: 'delete',
        path: (name) => `roles/${name}`,
      }),
    );
}

function issue(connect: Connect): Command {
  return pkiSubcommand('issue', 'make a key and a certificate for it', [
    'lockstep pki issue web common_name=a.example.com ttl=24h',
    'lockstep pki issue -format=json web common_name=a.example.com > a.json',
  ])
    .argument('<role>')
    .argument('<key=value...>', 'common_name, alt_names, ip_sans, uri_sans, ttl, …')
    .option('--field <name>', 'print this field alone')
    .action(async (name: string, args: string[], options: PkiOptions, self: Command) => {
      const { api, format, terminal } = connect(self);
      const answer = await api.call(
        'write',
        `${options.mount}/issue/${name}`,
        await parseKeyValues(args, terminal.readStdin),
      );
      printAnswer(terminal, answer, { format, field: options.field, done: '' });
    });
}

function sign(connect: Connect): Command {
  return pkiSubcommand('sign', 'sign a request made elsewhere', [
    'lockstep pki sign web csr=@a.csr common_name=a.example.com',
  ])
    .argument('<role>')
    .argument('<key=value...>', 'csr=@file, and what issue takes')
    .option('--field <name>', 'print this field alone')
    .action(async (name: string, args: string[], options: PkiOptions, self: Command) => {
      const { api, format, terminal } = connect(self);
      const answer = await api.call(
        'write',
        `${options.mount}/sign/${name}`,
        await parseKeyValues(args, terminal.readStdin),
      );
      printAnswer(terminal, answer, { format, field: options.field, done: '' });
    });
}

function revoke(connect: Connect): Command {
  return pkiSubcommand('revoke', 'revoke a certificate', ['lockstep pki revoke 3a:01:…'])
    .argument('<serial>')
    .action(async (serial: string, options: PkiOptions, self: Command) => {
      const { api, format, terminal } = connect(self);
      const fields: JsonObject = { serial_number: serial };
      printAnswer(terminal, await api.call('write', `${options.mount}/revoke`, fields), {
        format,
        done: 'Success! Revoked.',
      });
    });
}

interface Simple {
  readonly name: string;
  readonly summary: string;
  readonly argument: string;
  readonly operation: Operation;
  readonly path: (argument: string) => string;
}

function simple(connect: Connect, { name, summary, argument, operation, path }: Simple): Command {
  return pkiSubcommand(name, summary)
    .argument(`<${argument}>`)
    .option('--field <name>', 'print this field alone')
    .action(async (given: string, options: PkiOptions, self: Command) => {
      const { api, format, terminal } = connect(self);
      const answer = await api.call(operation, `${options.mount}/${path(given)}`);
      printAnswer(terminal, answer, { format, field: options.field, done: 'Success!' });
    });
}

interface Fixed {
  readonly name: string;
  readonly summary: string;
  readonly path: string;
}

function listing(connect: Connect, { name, summary, path }: Fixed): Command {
  return pkiSubcommand(name, summary).action(async (options: PkiOptions, self: Command) => {
    const { api, format, terminal } = connect(self);
    printKeys(terminal, await api.call('list', `${options.mount}/${path}`), format);
  });
}

function document(connect: Connect, { name, summary, path }: Fixed): Command {
  return pkiSubcommand(name, summary).action(async (options: PkiOptions, self: Command) => {
    const { api, format, terminal } = connect(self);
    printAnswer(terminal, await api.call('read', `${options.mount}/${path}`), { format, done: '' });
  });
}
