#!/usr/bin/env node
import { homedir } from 'node:os';
import { stdin } from 'node:process';
import { text } from 'node:stream/consumers';
import { askHidden } from './ask-hidden.ts';
import { run } from './program.ts';
import type { Terminal } from './terminal.ts';

const terminal: Terminal = {
  print: (line) => process.stdout.write(line),
  printError: (line) => process.stderr.write(line),
  readStdin: () => text(stdin),
  askHidden: stdin.isTTY ? askHidden : undefined,
  environment: process.env,
  homeDirectory: homedir(),
};

// A reader that has seen enough (`| head`) is no fault.
process.stdout.on('error', (fault: NodeJS.ErrnoException) => {
  process.exit(fault.code === 'EPIPE' ? 0 : 1);
});

process.exitCode = await run(process.argv.slice(2), terminal);
