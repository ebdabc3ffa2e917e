// One node as a process: node main.ts --config FILE
import { parseArgs } from 'node:util';
import { readConfig } from './config.ts';
import { faultFields, openLog } from './log.ts';
import { openNode } from './open-node.ts';
import { startFailure } from './start-failure.ts';
import { exitHurried, onStopSignals } from './stop-signals.ts';

/** As sysexits' EX_IOERR: a write failed, and what is on the disk is no longer known. A supervisor starts the node again. */
const exitAfterFault = 74;
/** Longest wait for requests under way when asked to stop. */
const drainMs = 5_000;

/** Runs a node until it is asked to stop (SIGTERM, SIGINT) or its disk fails (exit 74). */
export async function runServer(
  configFile: string,
  options: { readonly stopsWithStdin?: boolean } = {},
): Promise<void> {
  // LevelDB makes its files by the mask: none of a node's files is for anyone else.
  process.umask(0o077);
  const config = readConfig(configFile);
  const log = openLog({
    node: config.node.name,
    wallMs: () => Date.now(),
    write: (line) => process.stderr.write(line),
  });
  let isFatal = false;
  const onFatal = (error: unknown): void => {
    if (isFatal) return;
    isFatal = true;
    log.error('fatal', faultFields(error));
    process.exit(exitAfterFault);
  };
  process.on('uncaughtException', onFatal);
  process.on('unhandledRejection', onFatal);
  const node = await openNode(config, log, onFatal);
  let isStopping = false;
  const stop = (reason: string): void => {
    if (isStopping) return;
    isStopping = true;
    log.info('stopping', { reason });
    setTimeout(() => process.exit(0), drainMs).unref();
    void node.close().then(() => process.exit(0));
  };
  process.on('SIGHUP', () => {
    node.reopenAudit().then(
      () => log.info('audit-reopened'),
      (error: unknown) => log.error('audit-not-reopened', faultFields(error)),
    );
  });
  onStopSignals({ stop, hurry: () => process.exit(exitHurried) });
  // A development node must not outlive the command that started it, however that ended.
  if (options.stopsWithStdin === true) process.stdin.resume().once('end', () => stop('the starting process ended'));
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
