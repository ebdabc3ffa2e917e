import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type FileResult, runCaseFile } from '@lockstep/core/raft/etcd-cases/run-file';

const usage = `usage: npm run etcd-cases -- FOLDER

Runs every file of etcd-raft's data-driven cases (*.txt) below FOLDER against the consensus core, and compares states: interactions of
whole nodes, changes of membership, quorums. Prints a line for each file. Exits with 1 where a state differs or a file asks for what is
not known, 2 where there is no such folder or no such file.
`;

function describe(result: FileResult): string {
  switch (result.kind) {
    case 'passed':
      return `passed, ${result.directives} directives`;
    case 'differs':
      return `differs at line ${result.line}, ${result.command}: ${result.how}`;
    case 'unreadable':
      return `cannot be run: ${result.why}`;
    default:
      return result satisfies never;
  }
}

function refuse(why: string): number {
  process.stderr.write(`${why}\n\n${usage}`);
  return 2;
}

function main(args: readonly string[]): number {
  const [folder, ...rest] = args;
  if (folder === '--help' || folder === '-h') {
    process.stdout.write(usage);
    return 0;
  }
  if (folder === undefined || rest.length > 0) return refuse('one folder must be named');
  if (!(statSync(folder, { throwIfNoEntry: false })?.isDirectory() ?? false))
    return refuse(`"${folder}" is not a folder`);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.txt'));
  if (files.length === 0) return refuse(`there is no .txt file below "${folder}"`);
  let passed = 0;
  for (const file of files.sort()) {
    const result = runCaseFile(readFileSync(join(folder, file), 'utf8'));
    if (result.kind === 'passed') passed++;
    process.stdout.write(`${file}: ${describe(result)}\n`);
  }
  process.stdout.write(`${passed} passed, ${files.length - passed} failed\n`);
  return passed === files.length ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
