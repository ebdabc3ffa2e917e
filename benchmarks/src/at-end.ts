/**
 * Runs `clean`, which must be synchronous, when this process ends before its time: by a signal or an error that nobody caught.
 * Without it a node that is paused would stay so for ever. The result takes it back.
 */
export function atEnd(clean: () => void): () => void {
  const end = (signal: NodeJS.Signals): never => process.exit(signal === 'SIGINT' ? 130 : 143);
  process.on('exit', clean);
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  return () => {
    process.off('exit', clean);
    process.off('SIGINT', end);
    process.off('SIGTERM', end);
  };
}
