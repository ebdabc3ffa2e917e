import type { Command } from 'commander';
import { command } from '../command.ts';

/** `server`. */
export function serverCommand(): Command {
  return command('server', 'run one node', ['lockstep server --config /etc/lockstep/node.json'])
    .requiredOption('--config <file>', "the node's configuration")
    .action(async (options: { readonly config: string }) => {
      const { runServer } = await import('@lockstep/server/main');
      await runServer(options.config);
    });
}
