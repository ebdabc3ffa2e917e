import type { Command } from 'commander';
import { command } from '../command.ts';
import { Failure } from '../failure.ts';
import { json, rowsOf, table } from '../output.ts';
import { type GlobalOptions, readFormat } from '../settings.ts';
import type { Terminal } from '../terminal.ts';

// What is done to a node's disk while the node is down: no node is asked.

interface DiskOptions extends GlobalOptions {
  readonly config: string;
  readonly dryRun?: boolean;
}

/** `cluster found`. */
export function foundCommand(terminal: Terminal): Command {
  return command('found', 'make the first node of a new cluster, on its own disk; then start it', [
    'lockstep cluster found --config /etc/lockstep/node.json',
    'lockstep cluster found --config /etc/lockstep/node.json -dry-run',
  ])
    .requiredOption('--config <file>', "the node's configuration")
    .option('--dry-run', 'only tell whether that could be done')
    .action(async (_options: object, self: Command) => {
      const options: DiskOptions = self.optsWithGlobals();
      const { foundCluster } = await import('@lockstep/server/members/found-cluster');
      const founded = await here(() =>
        foundCluster(options.config, { nowMs: Date.now(), isDryRun: options.dryRun === true }),
      );
      const told = {
        cluster_id: founded.clusterId,
        node_id: String(founded.node),
        ...founded.advertised,
        data_dir: founded.dataDirectory,
      };
      if (readFormat(options, terminal) === 'json') terminal.print(json(told));
      else
        terminal.print(
          `${table(rowsOf(told))}\n${options.dryRun === true ? 'Nothing was made: this is what would be, under other ids.' : 'Next: lockstep server with the same --config, then lockstep init.'}\n`,
        );
    });
}

/** What goes wrong on this machine exits with 1, in a line. */
async function here<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const { startFailure } = await import('@lockstep/server/start-failure');
    throw new Failure(1, startFailure(error).message);
  }
}
