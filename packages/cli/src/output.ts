import type { Json, JsonObject } from '@lockstep/client/client';
import type { Answer } from './api.ts';
import { localFailure } from './failure.ts';
import type { Format } from './settings.ts';
import type { Terminal } from './terminal.ts';

export type Row = readonly [string, Json | undefined];

/** Vault's two columns. */
export function table(rows: readonly Row[], heading: readonly [string, string] = ['Key', 'Value']): string {
  const width = Math.max(heading[0].length, ...rows.map(([key]) => key.length)) + 4;
  const line = (key: string, value: string): string => `${key.padEnd(width)}${value}`.trimEnd();
  const lines = [heading, [dashes(heading[0]), dashes(heading[1])] as const, ...rows].map(([key, value]) =>
    line(key, spelled(value)),
  );
  return `${lines.join('\n')}\n`;
}

/** One column, as lists are printed. */
export function column(heading: string, values: readonly string[]): string {
  return `${[heading, dashes(heading), ...values].join('\n')}\n`;
}

/** As many columns as there are headings. */
export function grid(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, headings.map(dashes), ...rows];
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)) + 4);
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('')
          .trimEnd()}\n`,
    )
    .join('');
}

export function json(value: Json | undefined): string {
  return `${JSON.stringify(value ?? null, null, 2)}\n`;
}

function dashes(heading: string): string {
  return heading.replace(/\S/g, '-');
}

/** One value as a table shows it. */
export function spelled(value: Json | undefined): string {
  if (value === undefined || value === null) return 'n/a';
  if (typeof value === 'string') return value;
  if (Array.isArray(value))
    return value.every((one) => typeof one === 'string') ? `[${value.join(' ')}]` : JSON.stringify(value);
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

export function rowsOf(data: JsonObject): readonly Row[] {
  return Object.keys(data)
    .toSorted()
    .map((key) => [key, data[key]] as const);
}

export interface Printing {
  readonly format: Format;
  readonly field?: string | undefined;
  /** What is printed when the answer is empty. */
  readonly done: string;
}

/** Prints an answer as every command does: its warnings, then one field alone, JSON as it came, or a table. */
export function printAnswer(terminal: Terminal, answer: Answer, { format, field, done }: Printing): void {
  if (field !== undefined) {
    printField(terminal, answer.auth === undefined ? answer.data : tokenFields(answer.auth), field);
    return;
  }
  if (answer.raw !== undefined) {
    terminal.print(answer.raw.endsWith('\n') ? answer.raw : `${answer.raw}\n`);
    return;
  }
  if (format === 'json') {
    terminal.print(json(answer.body ?? {}));
    return;
  }
  for (const warning of answer.warnings) terminal.printError(`WARNING! ${warning}\n`);
  if (answer.auth !== undefined) terminal.print(table(rowsOf(tokenFields(answer.auth))));
  else if (answer.data !== undefined) terminal.print(table(rowsOf(answer.data)));
  else if (done !== '') terminal.print(`${done}\n`);
}

/** One field, alone and without a newline, for scripts. */
export function printField(terminal: Terminal, data: JsonObject | undefined, field: string): void {
  const value = data?.[field];
  if (value === undefined)
    throw localFailure(
      `the answer has no field "${field}"`,
      data === undefined ? undefined : `It has: ${Object.keys(data).toSorted().join(', ')}.`,
    );
  terminal.print(typeof value === 'string' ? value : JSON.stringify(value));
}

/** Prints the names of a list. */
export function printKeys(terminal: Terminal, answer: Answer, format: Format): void {
  const keys = answer.data?.['keys'];
  const names = Array.isArray(keys) ? keys.map(String) : [];
  terminal.print(format === 'json' ? json(names) : column('Keys', names));
}

/** `auth` under the names that Vault's command line shows. */
function tokenFields(auth: JsonObject): JsonObject {
  return {
    token: auth['client_token'],
    token_accessor: auth['accessor'],
    token_duration: auth['lease_duration'] === 0 ? '∞' : `${spelled(auth['lease_duration'])}s`,
    token_renewable: auth['renewable'],
    token_policies: auth['token_policies'],
    policies: auth['policies'],
    ...Object.fromEntries(Object.entries(auth['metadata'] ?? {}).map(([key, value]) => [`token_meta_${key}`, value])),
  };
}
