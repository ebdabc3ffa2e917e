import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runtimeArguments, runtimeEnvironment } from '@lockstep/server/dev/runtime-options';
import type { Answered } from './answering.ts';
import type { LoadSeen, Question, Usage } from './question.ts';

/** What a child that hangs is given before the benchmark fails. */
const answerMsMax = 120_000;

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** A process of the benchmark, asked over its IPC channel. */
export class Child {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #exited: Promise<void>;
  #nextId = 1;

  constructor(name: string, program: string, args: readonly string[]) {
    this.name = name;
    this.#process = fork(fileURLToPath(new URL(program, import.meta.url)), args, {
      stdio: ['ignore', 2, 2, 'ipc'],
      // As a node of the product is started.
      execArgv: [...process.execArgv, ...runtimeArguments],
      env: { ...process.env, ...runtimeEnvironment },
    });
    this.#process.on('message', (text) => {
      if (typeof text === 'string') this.#answered(JSON.parse(text));
    });
    this.#exited = new Promise((resolve) => {
      this.#process.once('exit', () => {
        for (const [id] of this.#waiting) this.#answered({ id, error: 'the process is gone' });
        resolve();
      });
    });
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  async ask(question: Question): Promise<unknown> {
    const id = this.#nextId++;
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => this.#answered({ id, error: `no answer to ${question.kind} in ${answerMsMax} ms` }),
        answerMsMax,
      );
      this.#waiting.set(id, { resolve, reject, timer });
      this.#process.send(JSON.stringify({ id, question }), (error) => {
        if (error !== null) this.#answered({ id, error: error.message });
      });
    });
  }

  async usage(): Promise<Usage> {
    const usage: Usage = JSON.parse(JSON.stringify(await this.ask({ kind: 'usage' })));
    return usage;
  }

  async endLoad(): Promise<LoadSeen> {
    const seen: LoadSeen = JSON.parse(JSON.stringify(await this.ask({ kind: 'end-load' })));
    return seen;
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exited;
  }

  #answered({ id, answer, error }: Answered): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    if (error === undefined) waiting.resolve(answer);
    else waiting.reject(new Error(`${this.name}: ${error}`));
  }
}
