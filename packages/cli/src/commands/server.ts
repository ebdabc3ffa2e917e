import type { Command } from 'commander';
import { command } from '../command.ts';
import { Failure } from '../failure.ts';

/** `server`. */
export function serverCommand(): Command {
  return command('server', 'run one node', ['lockstep server --config /etc/lockstep/node.json'])
    .requiredOption('--config <file>', "the node's configuration")
    .action(async (options: { readonly config: string }) => {
      const { runServer } = await import('@lockstep/server/main');
      const { startFailure } = await import('@lockstep/server/start-failure');
      await runServer(options.config).catch((error: unknown) => {
        const { message, exitCode } = startFailure(error);
        throw new Failure(exitCode, `the node did not start: ${message}`);
      });
    });
}
