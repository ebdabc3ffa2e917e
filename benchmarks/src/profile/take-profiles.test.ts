import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { isOutside } from './parts.ts';
import { recorderArguments, startProfiles } from './take-profiles.ts';

const busy = `
  function burn() { for (const until = performance.now() + 20; performance.now() < until;); setImmediate(burn); }
  burn();
  console.log('started');
`;

test('another process is profiled while it works, into a folder whose name needs escaping', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'profile & 100% '));
  const child = spawn(process.execPath, [...recorderArguments(folder), '--eval', busy], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });
  await once(child.stdout, 'data');
  const stop = await startProfiles(folder, [child.pid ?? 0]);
  const { nodes, own } = await stop();
  const [profile] = nodes;
  expect(profile?.nodes.some((node) => node.callFrame.functionName === 'burn')).toBe(true);
  expect(own.nodes.filter((node) => !isOutside(node.callFrame)).length).toBeGreaterThan(0);
});
