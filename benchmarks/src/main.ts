// The load harness: npm run bench -- NAME [options]
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { benchPkiIssue } from './pki-issue.ts';

const usage = `usage: npm run bench -- pki-issue [--nodes N] [--seconds S] [--concurrency C] [--door grpc|http] [--profile] [--json FILE]

  pki-issue   certificates a second: P-256, key made by the server, TLS on, stored, audit on,
              three real processes and the client on this machine

  --nodes 3         how many nodes
  --seconds 20      how long to measure, after warming up
  --concurrency 64  requests under way at once
  --door grpc       which door to ask: grpc or http
  --profile         sample what each process does, and add its time up by part; costs some speed
  --json FILE       write the result there, too
`;

function fail(message: string): never {
  process.stderr.write(`bench: ${message}\n\n${usage}`);
  process.exit(2);
}

function count(name: string, text: string, max: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1 || value > max)
    fail(`--${name} must be a whole number from 1 to ${max}`);
  return value;
}

function readArguments(): {
  readonly name: string | undefined;
  readonly values: { readonly [name: string]: string | boolean | undefined };
} {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        nodes: { type: 'string' },
        seconds: { type: 'string' },
        concurrency: { type: 'string' },
        door: { type: 'string' },
        profile: { type: 'boolean' },
        json: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    return { name: positionals[0], values };
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

const { name, values } = readArguments();
if (values['help'] === true) {
  process.stdout.write(usage);
  process.exit(0);
}
if (name !== 'pki-issue') fail(name === undefined ? 'say which benchmark' : `there is no benchmark ${name}`);
const door = values['door'] ?? 'grpc';
if (door !== 'grpc' && door !== 'http') fail('--door must be grpc or http');
const result = await benchPkiIssue(
  {
    nodes: count('nodes', String(values['nodes'] ?? 3), 9),
    seconds: count('seconds', String(values['seconds'] ?? 20), 3_600),
    concurrency: count('concurrency', String(values['concurrency'] ?? 64), 4_096),
    door,
    profile: values['profile'] === true,
  },
  (line) => process.stderr.write(`bench: ${line}\n`),
);
const text = `${JSON.stringify(result, null, 2)}\n`;
process.stdout.write(text);
if (typeof values['json'] === 'string') writeFileSync(values['json'], text);
