// One node as a process: node main.ts --config FILE
import { parseArgs } from 'node:util';
import { readStart } from './config.ts';
import { exitDiskFailed } from './exit-codes.ts';
import { faultFields, openLog } from './log.ts';
import { enterCluster } from './members/enter-cluster.ts';
import { type OpenNode, openNode } from './open-node.ts';
import { startFailure } from './start-failure.ts';
import { exitHurried, onStopSignals } from './stop-signals.ts';

/** Longest wait for requests under way when asked to stop. */
const drainMs = 5_000;

/** Runs a node until it is asked to stop (SIGTERM, SIGINT) or its disk fails (exit 74). */
export async function runServer(
  configFile: string,
  options: { readonly stopsWithStdin?: boolean; readonly joinTokenFile?: string | undefined } = {},
): Promise<void> {
  // LevelDB makes its files by the mask: none of a node's files is for anyone else.
  process.umask(0o077);
  const start = readStart(configFile, options);
  const log = openLog({
    node: start.kind === 'configured' ? start.config.node.name : start.config.name,
    wallMs: () => Date.now(),
    write: (line) => process.stderr.write(line),
  });
  let isFatal = false;
  const onFatal = (error: unknown): void => {
    if (isFatal) return;
    isFatal = true;
    log.error('fatal', faultFields(error));
    process.exit(exitDiskFailed);
  };
  process.on('uncaughtException', onFatal);
  process.on('unhandledRejection', onFatal);
  let node: OpenNode | undefined;
  const waiting = new AbortController();
  let isStopping = false;
  const stop = (reason: string): void => {
    if (isStopping) return;
    isStopping = true;
    log.info('stopping', { reason });
    setTimeout(() => process.exit(0), drainMs).unref();
    waiting.abort();
    if (node !== undefined) void node.close().then(() => process.exit(0));
  };
  // A node that waits for a join token has no audit yet, and must not end by this.
  process.on('SIGHUP', () => {
    node?.reopenAudit().then(
      () => log.info('audit-reopened'),
      (error: unknown) => log.error('audit-not-reopened', faultFields(error)),
    );
  });
  onStopSignals({ stop, hurry: () => process.exit(exitHurried) });
  // A development node must not outlive the command that started it, however that ended.
  if (options.stopsWithStdin === true) process.stdin.resume().once('end', () => stop('the starting process ended'));
  const config = await enterCluster(start, { log, wallMs: () => Date.now(), signal: waiting.signal });
  if (config === 'stopping') process.exit(0);
  node = await openNode(config, log, onFatal);
  // Asked to while it was opened.
  if (waiting.signal.aborted) void node.close().then(() => process.exit(0));
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { config: { type: 'string' }, 'stop-with-stdin': { type: 'boolean' } } });
  if (values.config === undefined) {
    process.stderr.write('usage: main.ts --config FILE\n');
    process.exit(2);
  }
  runServer(values.config, { stopsWithStdin: values['stop-with-stdin'] === true }).catch((error: unknown) => {
    const { message, exitCode } = startFailure(error);
    process.stderr.write(`lockstep: ${message}\n`);
    process.exit(exitCode);
  });
}
