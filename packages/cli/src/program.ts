// START HERE: the whole command line. One file for each group of commands.
import { createRequire } from 'node:module';
import { Command, CommanderError, Option } from 'commander';
import { command, connector } from './command.ts';
import { anyPathCommands } from './commands/any-path.ts';
import { clusterCommand } from './commands/cluster.ts';
import { raftAutopilotCommand } from './commands/cluster-autopilot.ts';
import { devCommand } from './commands/dev.ts';
import { kvCommand } from './commands/kv.ts';
import { loginCommand } from './commands/login.ts';
import { pkiCommand } from './commands/pki.ts';
import { policyCommand } from './commands/policy.ts';
import { sealCommands } from './commands/seal.ts';
import { secretsCommand } from './commands/secrets.ts';
import { serverCommand } from './commands/server.ts';
import { snapshotCommand } from './commands/snapshot.ts';
import { tokenCommand } from './commands/token.ts';
import { exitLocal, Failure } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** Runs one command and tells the exit code: 0, 1 for what is wrong here, 2 for what the server says (and a sealed node's status). */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  let exitCode = 0;
  const program = buildProgram(terminal, (code) => {
    exitCode = code;
  });
  try {
    // Not an option of the program: commander would find it in `kv get --version 2` too.
    if (/^--?version$/.test(args[0] ?? '')) return await run(['version'], terminal);
    await program.parseAsync(args.map(longOption), { from: 'user' });
    return exitCode;
  } catch (fault) {
    if (fault instanceof CommanderError) return fault.exitCode === 0 ? 0 : exitLocal;
    if (!(fault instanceof Failure)) throw fault;
    terminal.printError(`Error: ${fault.message}\n${fault.hint === undefined ? '' : `\n${fault.hint}\n`}`);
    return fault.exitCode;
  }
}

/** Vault writes long options with one dash; both are taken. */
function longOption(arg: string): string {
  return /^-[a-z][a-z-]+(=|$)/.test(arg) ? `-${arg}` : arg;
}

function buildProgram(terminal: Terminal, exitWith: (code: number) => void): Command {
  const connect = connector(terminal, exitWith);
  const version = versionCommand(terminal);
  const program = new Command('lockstep')
    .description('A secrets cluster: secrets, certificates and short-lived credentials.')
    .addOption(new Option('--address <url>', 'the node to ask (LOCKSTEP_ADDR, VAULT_ADDR)'))
    .addOption(
      new Option(
        '--ca-cert <file>',
        "the authority that signed the node's certificate (LOCKSTEP_CACERT, VAULT_CACERT)",
      ),
    )
    .addOption(new Option('--namespace <name>', 'only root so far (LOCKSTEP_NAMESPACE, VAULT_NAMESPACE)'))
    .addOption(
      new Option('--tls-skip-verify', "don't check the node's certificate (LOCKSTEP_SKIP_VERIFY, VAULT_SKIP_VERIFY)"),
    )
    .addOption(new Option('--format <table|json>', 'how to print (LOCKSTEP_FORMAT, VAULT_FORMAT)'))
    .addHelpText('after', environmentHelp);
  for (const made of [
    devCommand(),
    serverCommand(),
    ...sealCommands(connect),
    clusterCommand(connect, terminal),
    kvCommand(connect),
    pkiCommand(connect),
    loginCommand(connect),
    tokenCommand(connect),
    policyCommand(connect),
    secretsCommand(connect),
    snapshotCommand(connect, terminal),
    ...anyPathCommands(connect),
    operatorCommand([
      ...sealCommands(connect),
      raftCommand([snapshotCommand(connect, terminal), raftAutopilotCommand(connect)]),
    ]),
    version,
  ])
    program.addCommand(made);
  prepare(program, terminal);
  return program;
}

const environmentHelp = `
The token is taken from LOCKSTEP_TOKEN, VAULT_TOKEN or ~/.vault-token, never from an option.

Examples:
  lockstep dev --nodes 3
  lockstep status
  lockstep kv put secret/app/db user=app password=@password.txt
  lockstep pki issue web common_name=a.example.com`;

/** Where Vault's users look for them. */
function operatorCommand(commands: readonly Command[]): Command {
  const operator = command(
    'operator',
    'init, unseal, seal, snapshots and autopilot under the names that Vault gives them',
    [],
  );
  for (const made of commands) if (made.name() !== 'status') operator.addCommand(made);
  return operator;
}

function raftCommand(commands: readonly Command[]): Command {
  const raft = command('raft', 'snapshots and autopilot', ['lockstep operator raft snapshot save backup.snapshot']);
  for (const made of commands) raft.addCommand(made);
  return raft;
}

function versionCommand(terminal: Terminal): Command {
  return command('version', 'print the version', []).action(() => {
    const about: { readonly version: string } = createRequire(import.meta.url)('../package.json');
    terminal.print(`Lockstep ${about.version}\n`);
  });
}

/** Every command prints through the terminal, throws instead of ending the process. */
function prepare(made: Command, terminal: Terminal): void {
  made
    .exitOverride()
    .configureOutput({ writeOut: terminal.print, writeErr: terminal.printError })
    .showHelpAfterError(`(lockstep ${pathOf(made)}--help says more)`)
    .configureHelp({ showGlobalOptions: true });
  for (const inner of made.commands) prepare(inner, terminal);
}

function pathOf(made: Command): string {
  const names: string[] = [];
  for (let one: Command | null = made; one !== null && one.parent !== null; one = one.parent) names.unshift(one.name());
  return names.length === 0 ? '' : `${names.join(' ')} `;
}
