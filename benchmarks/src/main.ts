// The load harness: npm run bench -- NAME [options]
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Bench, benches } from './benches.ts';
import { Choices, UsageError } from './choices.ts';

const usage = `usage: npm run bench -- NAME [options]

${Object.values(benches)
  .map(({ usage: text }) => text)
  .join('\n')}
  --json FILE       (every benchmark) write the result there, too
`;

function fail(message: string): never {
  process.stderr.write(`bench: ${message}\n\n${usage}`);
  process.exit(2);
}

const [name, ...rest] = process.argv.slice(2);
if (name === '--help' || name === '-h') {
  process.stdout.write(usage);
  process.exit(0);
}
const bench: Bench | undefined = name === undefined ? undefined : benches[name];
if (bench === undefined) fail(name === undefined ? 'say which benchmark' : `there is no benchmark ${name}`);

function chosen(of: Bench): { readonly choices: Choices; readonly json: string | undefined } {
  const options = Object.fromEntries<{ readonly type: 'string' | 'boolean' }>([
    ...[...of.options, 'json'].map((option) => [option, { type: 'string' }] as const),
    ...(of.flags ?? []).map((flag) => [flag, { type: 'boolean' }] as const),
  ]);
  try {
    const { values } = parseArgs({ args: rest, options });
    const json = values['json'];
    return { choices: new Choices(values), json: typeof json === 'string' ? json : undefined };
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

const { choices, json } = chosen(bench);
const report = (line: string): void => void process.stderr.write(`bench: ${line}\n`);
try {
  const result = await bench.run(choices, report);
  const text = `${JSON.stringify(result, null, 2)}\n`;
  process.stdout.write(text);
  if (json !== undefined) writeFileSync(json, text);
} catch (error) {
  if (error instanceof UsageError) fail(error.message);
  throw error;
}
