/** One press of Ctrl-C reaches a process more than once: by the terminal, and by each program that passes it on. */
const samePressMs = 1_000;

/**
 * Calls `stop` at the first SIGINT or SIGTERM, with its name. A later one, which is no echo of the first, means that somebody doesn't
 * want to wait: then `hurry`.
 */
export function onStopSignals(of: {
  readonly stop: (signal: string) => void;
  readonly hurry: (signal: string) => void;
}): void {
  let firstMs: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      const nowMs = performance.now();
      if (firstMs === undefined) {
        firstMs = nowMs;
        of.stop(signal);
      } else if (nowMs - firstMs > samePressMs) of.hurry(signal);
    });
  }
}

/** As shells have it: 128 and the signal's number, of SIGINT. */
export const exitHurried = 130;
