/** Vault's exit codes: 1 for what is wrong here (arguments, files), 2 for what the server or the way to it says. */
export const exitLocal = 1;
export const exitRemote = 2;

/** Ends a command with a message, and with what to do next where that is known. */
export class Failure extends Error {
  readonly exitCode: number;
  readonly hint: string | undefined;

  constructor(exitCode: number, message: string, hint?: string) {
    super(message);
    this.name = 'Failure';
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

export function localFailure(message: string, hint?: string): Failure {
  return new Failure(exitLocal, message, hint);
}
