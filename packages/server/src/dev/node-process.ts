import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runtimeArguments, runtimeEnvironment } from './runtime-options.ts';

const program = fileURLToPath(new URL('../main.ts', import.meta.url));
/** A node that is asked to stop gets this long before it is killed. */
const stopWithinMs = 8_000;

/** One node as a process of its own, with its log in a file. */
export class NodeProcess {
  readonly #configFile: string;
  readonly #logFile: string;
  #child: ChildProcess | undefined;
  #onExit: ((code: number | null, signal: NodeJS.Signals | null) => void) | undefined;

  constructor(files: { readonly configFile: string; readonly logFile: string }) {
    this.#configFile = files.configFile;
    this.#logFile = files.logFile;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  /** Called when the process ends without having been asked to. */
  onUnexpectedExit(listener: (code: number | null, signal: NodeJS.Signals | null) => void): void {
    this.#onExit = listener;
  }

  start(options: { readonly nodeArguments?: readonly string[] } = {}): void {
    const log = openSync(this.#logFile, 'a', 0o600);
    const child = spawn(
      process.execPath,
      [
        ...runtimeArguments,
        ...(options.nodeArguments ?? []),
        program,
        '--config',
        this.#configFile,
        '--stop-with-stdin',
      ],
      {
        stdio: ['pipe', log, log],
        env: { ...process.env, ...runtimeEnvironment },
      },
    );
    closeSync(log);
    this.#child = child;
    child.once('exit', (code, signal) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.#onExit?.(code, signal);
    });
  }

  /** Ends the process at once, as a power cut would, and waits until it is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Asks the process to stop, and kills it when it does not. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), stopWithinMs);
    await gone;
    clearTimeout(timer);
  }
}
