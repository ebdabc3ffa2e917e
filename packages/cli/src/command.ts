import { Command } from 'commander';
import { type Api, openApi } from './api.ts';
import { type Format, type GlobalOptions, readFormat, readSettings } from './settings.ts';
import type { Terminal } from './terminal.ts';

/** What a command's action works with. */
export interface Session {
  readonly api: Api;
  readonly format: Format;
  readonly terminal: Terminal;
  /** Ends the program with this code after the command (`status` of a sealed node). */
  readonly exitWith: (code: number) => void;
}

/** Makes a Session from the options of the command that runs. */
export type Connect = (command: Command) => Session;

export function connector(terminal: Terminal, exitWith: (code: number) => void): Connect {
  return (command) => {
    const options: GlobalOptions = command.optsWithGlobals();
    return { api: openApi(readSettings(options, terminal)), format: readFormat(options, terminal), terminal, exitWith };
  };
}

/** A command of its own, with examples under its help. */
export function command(name: string, summary: string, examples: readonly string[]): Command {
  const made = new Command(name).summary(summary).description(summary);
  return examples.length === 0
    ? made
    : made.addHelpText('after', `\nExamples:\n${examples.map((one) => `  ${one}`).join('\n')}`);
}
