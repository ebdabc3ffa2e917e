import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { commandsOf } from './page-commands.ts';

const fence = '```';
const page = (block: string): string =>
  `text\n\n${fence}sh\n${block}\n${fence}\n\n${fence}text\nnot a command\n${fence}\n`;
const run = (block: string): ReturnType<typeof spawnSync> =>
  spawnSync('bash', ['-c', commandsOf(page(block))], { encoding: 'utf8' });

describe('the commands of a page', () => {
  it('fail when any of them does', () => {
    expect(run('false\ntrue').status).toBe(1);
    expect(run('echo "$unset"').status).not.toBe(0);
  });

  it('fail when one prints something else than the page says', () => {
    const { status, stderr } = run('echo one   # prints: two');
    expect([status, String(stderr)]).toEqual([1, 'printed: one, not: two\n']);
  });

  it('are its sh blocks alone, run as one', () => {
    expect(run(`export A="it's"\n${fence}\n\n${fence}sh\necho "$A"   # prints: it's`).status).toBe(0);
  });
});
