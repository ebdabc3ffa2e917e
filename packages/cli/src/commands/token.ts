import type { Json } from '@lockstep/client/client';
import type { Command } from 'commander';
import { command, type Connect } from '../command.ts';
import { localFailure } from '../failure.ts';
import { printAnswer } from '../output.ts';
import { pairsOf, several, wholeNumber } from '../option-values.ts';

interface CreateOptions {
  readonly policy?: readonly string[];
  readonly ttl?: string;
  readonly explicitMaxTtl?: string;
  readonly period?: string;
  readonly displayName?: string;
  readonly useLimit?: number;
  readonly metadata?: readonly string[];
  readonly renewable?: string;
  readonly type?: string;
  readonly orphan?: boolean;
  readonly defaultPolicy: boolean;
  readonly field?: string;
}

interface WhichOptions {
  readonly accessor?: boolean;
  readonly self?: boolean;
  readonly increment?: string;
}

/** `token`: what callers show. */
export function tokenCommand(connect: Connect): Command {
  return command('token', 'tokens', [
    'lockstep token create -policy=web -ttl=8h',
    'lockstep token lookup',
    'lockstep token revoke -accessor hvs.acc…',
  ])
    .addCommand(create(connect))
    .addCommand(lookup(connect))
    .addCommand(renew(connect))
    .addCommand(revoke(connect));
}

function create(connect: Connect): Command {
  return command('create', 'issue a token', [
    'lockstep token create -policy=web -policy=metrics -ttl=8h',
    'lockstep token create -field=token -policy=web',
  ])
    .option('--policy <name>', 'may be given several times', several)
    .option('--ttl <duration>', 'how long it lives')
    .option('--explicit-max-ttl <duration>', 'no renewal beyond this')
    .option('--period <duration>', 'renewable for ever, each time for this long')
    .option('--display-name <name>', 'shown in the audit trail')
    .option('--use-limit <number>', 'how often it may be used', wholeNumber)
    .option('--metadata <key=value>', 'may be given several times', several)
    .option('--renewable <true|false>')
    .option('--type <service|batch>')
    .option('--orphan', "outlives the caller's own token")
    .option('--no-default-policy', 'without the policy "default"')
    .option('--field <name>', 'print this field alone (token, token_accessor, …)')
    .action(async (options: CreateOptions, self: Command) => {
      const { api, format, terminal } = connect(self);
      const path = options.orphan === true ? 'auth/token/create-orphan' : 'auth/token/create';
      const answer = await api.call('write', path, createFields(options));
      printAnswer(terminal, answer, { format, field: options.field, done: '' });
    });
}

function createFields(options: CreateOptions): { [name: string]: Json } {
  const fields: { [name: string]: Json | undefined } = {
    policies: options.policy,
    ttl: options.ttl,
    explicit_max_ttl: options.explicitMaxTtl,
    period: options.period,
    display_name: options.displayName,
    num_uses: options.useLimit,
    meta: options.metadata === undefined ? undefined : pairsOf(options.metadata),
    renewable: options.renewable,
    type: options.type,
    no_default_policy: options.defaultPolicy ? undefined : true,
  };
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function lookup(connect: Connect): Command {
  return command('lookup', 'show a token (your own unless given)', [
    'lockstep token lookup',
    'lockstep token lookup -accessor hvs.acc…',
  ])
    .argument('[token]', 'the token or, with --accessor, its accessor; - reads it from stdin')
    .option('--accessor', 'what is given is an accessor')
    .action(async (given: string | undefined, options: WhichOptions, self: Command) => {
      const { api, format, terminal } = connect(self);
      const which = given === '-' ? (await terminal.readStdin()).trim() : given;
      const answer =
        which === undefined
          ? await api.call('read', 'auth/token/lookup-self')
          : options.accessor === true
            ? await api.call('write', 'auth/token/lookup-accessor', { accessor: which })
            : await api.call('write', 'auth/token/lookup', { token: which });
      printAnswer(terminal, answer, { format, done: '' });
    });
}

function renew(connect: Connect): Command {
  return command('renew', 'renew a token (your own unless given)', ['lockstep token renew -increment=8h'])
    .argument('[token]')
    .option('--accessor', 'what is given is an accessor')
    .option('--increment <duration>', 'the time to live asked for')
    .action(async (given: string | undefined, options: WhichOptions, self: Command) => {
      const { api, format, terminal } = connect(self);
      const increment = options.increment === undefined ? {} : { increment: options.increment };
      const answer =
        given === undefined
          ? await api.call('write', 'auth/token/renew-self', increment)
          : options.accessor === true
            ? await api.call('write', 'auth/token/renew-accessor', { accessor: given, ...increment })
            : await api.call('write', 'auth/token/renew', { token: given, ...increment });
      printAnswer(terminal, answer, { format, done: '' });
    });
}

function revoke(connect: Connect): Command {
  return command('revoke', 'revoke a token and all that it issued', [
    'lockstep token revoke hvs.…',
    'lockstep token revoke -accessor hvs.acc…',
    'lockstep token revoke -self',
  ])
    .argument('[token]', 'the token or, with --accessor, its accessor; - reads it from stdin')
    .option('--accessor', 'what is given is an accessor')
    .option('--self', 'revoke the token that asks')
    .action(async (given: string | undefined, options: WhichOptions, self: Command) => {
      const { api, format, terminal } = connect(self);
      if ((given === undefined) !== (options.self === true)) throw localFailure('give a token, or --self for your own');
      const which = given === '-' ? (await terminal.readStdin()).trim() : given;
      const answer =
        which === undefined
          ? await api.call('write', 'auth/token/revoke-self')
          : options.accessor === true
            ? await api.call('write', 'auth/token/revoke-accessor', { accessor: which })
            : await api.call('write', 'auth/token/revoke', { token: which });
      printAnswer(terminal, answer, { format, done: 'Success! Revoked token (if it existed)' });
    });
}
