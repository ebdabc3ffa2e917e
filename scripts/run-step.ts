import { type ChildProcess, spawn } from 'node:child_process';

/** A reader who sees nothing for ten seconds thinks that it hangs. */
const silenceMaxMs = 8_000;
/** What a step still gets after it was asked to stop, before it is killed. */
const stopGraceMs = 5_000;
/** Of a failing tool's output: enough to begin with, and no flood in a CI log. */
const heldLinesMax = 120;

export interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly timeoutMs: number;
  readonly env: NodeJS.ProcessEnv;
  /** `live` shows lines as they come, `onFailure` only when the step fails. */
  readonly output: 'live' | 'onFailure';
}

export type StepResult =
  | { readonly kind: 'exited'; readonly code: number; readonly seconds: string }
  | { readonly kind: 'timed-out'; readonly seconds: string }
  | { readonly kind: 'not-started'; readonly reason: string };

const running = new Set<ChildProcess>();

/** Ends every step that runs, with all that it started. For signal handlers. */
export function stopSteps(signal: NodeJS.Signals): void {
  for (const child of running) signalGroup(child, signal);
}

/** Runs a program in a process group of its own, so that nothing it starts outlives it. Never rejects. */
export function runStep(step: Step): Promise<StepResult> {
  const startedMs = performance.now();
  const seconds = (): string => ((performance.now() - startedMs) / 1000).toFixed(1);
  const child = spawn(step.command, step.args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: step.env });
  running.add(child);
  const held: Buffer[] = [];
  let lastLineMs = startedMs;
  const take = (chunk: Buffer): void => {
    if (step.output === 'onFailure') held.push(chunk);
    else process.stdout.write(chunk);
    if (step.output === 'live') lastLineMs = performance.now();
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const heartbeat = setInterval(() => {
    if (performance.now() - lastLineMs < silenceMaxMs) return;
    lastLineMs = performance.now();
    console.log(`      ${step.name} runs, ${seconds()} s`);
  }, 1_000);
  let isTimedOut = false;
  const limit = setTimeout(() => {
    isTimedOut = true;
    signalGroup(child, 'SIGTERM');
    setTimeout(() => signalGroup(child, 'SIGKILL'), stopGraceMs).unref();
  }, step.timeoutMs);
  return new Promise((resolve) => {
    const settle = (result: StepResult): void => {
      clearInterval(heartbeat);
      clearTimeout(limit);
      signalGroup(child, 'SIGKILL');
      running.delete(child);
      if (result.kind !== 'exited' || result.code !== 0) printHeld(Buffer.concat(held).toString());
      resolve(result);
    };
    child.on('error', (error) => settle({ kind: 'not-started', reason: error.message }));
    // `exit`, not `close`: a grandchild that holds the pipe open must not keep the step alive.
    child.on('exit', (code) => {
      setImmediate(() =>
        settle(
          isTimedOut
            ? { kind: 'timed-out', seconds: seconds() }
            : { kind: 'exited', code: code ?? 1, seconds: seconds() },
        ),
      );
    });
  });
}

function printHeld(output: string): void {
  const lines = output.trimEnd().split('\n');
  console.log(lines.slice(0, heldLinesMax).join('\n'));
  if (lines.length > heldLinesMax) console.log(`… and ${lines.length - heldLinesMax} lines more`);
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The whole group is gone, which is what was wanted.
  }
}
