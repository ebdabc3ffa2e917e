import type { Command } from 'commander';
import { command } from '../command.ts';
import { Failure } from '../failure.ts';

/** `server`. */
export function serverCommand(): Command {
  return command('server', 'run one node', [
    'lockstep server --config /etc/lockstep/node.json',
    'lockstep server --config /etc/lockstep/node.json --join-token-file /run/join-token',
  ])
    .requiredOption('--config <file>', "the node's configuration")
    .option('--join-token-file <file>', 'join with this token where the data directory is empty')
    .action(async (options: { readonly config: string; readonly joinTokenFile?: string }) => {
      const { runServer } = await import('@lockstep/server/main');
      const { startFailure } = await import('@lockstep/server/start-failure');
      await runServer(options.config, { joinTokenFile: options.joinTokenFile }).catch((error: unknown) => {
        const { message, exitCode } = startFailure(error);
        throw new Failure(exitCode, `the node did not start: ${message}`);
      });
    });
}
