import type { Command } from 'commander';
import { command } from '../command.ts';
import { localFailure } from '../failure.ts';
import { wholeNumber } from '../option-values.ts';

interface DevOptions {
  readonly nodes: number;
  readonly dir?: string;
  readonly basePort: number;
  readonly plainHttp?: boolean;
  readonly json?: string;
}

const nodesMax = 9;

/** `dev`. The nodes' code is loaded only here and in `server`: all other commands start faster. */
export function devCommand(): Command {
  return command('dev', 'run a whole cluster here, for development', [
    'lockstep dev',
    'lockstep dev --nodes 3 --dir ./data --base-port 8200',
    'lockstep dev --json cluster.json',
  ])
    .option('--nodes <number>', 'how many', wholeNumber, 3)
    .option('--dir <folder>', 'where the data stays; removed at the end unless given')
    .option('--base-port <port>', 'the first port; others are taken where it is in use', wholeNumber, 8200)
    .option('--plain-http', 'without TLS, on loopback only')
    .option('--json <file>', 'write addresses and root token for programs')
    .action(async (options: DevOptions) => {
      if (options.nodes < 1 || options.nodes > nodesMax) throw localFailure(`nodes must be from 1 to ${nodesMax}`);
      if (options.basePort < 1 || options.basePort > 65_000) throw localFailure('base-port must be from 1 to 65000');
      const { runDev } = await import('@lockstep/server/dev');
      const { startFailure } = await import('@lockstep/server/start-failure');
      const running = runDev({
        nodes: options.nodes,
        directory: options.dir,
        basePort: options.basePort,
        plainHttp: options.plainHttp ?? false,
        jsonFile: options.json,
      });
      await running.catch((error: unknown) => {
        throw localFailure(`the cluster did not start: ${startFailure(error).message}`);
      });
    });
}
