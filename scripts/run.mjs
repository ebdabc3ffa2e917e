// Starts a TypeScript program of this checkout on the Node that the checkout brings: node scripts/run.mjs FILE [ARG …]
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { carriedNode, setUp } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [file, ...args] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: node scripts/run.mjs FILE [ARG …]\n');
  process.exit(2);
}
setUp();
const node = carriedNode();
const path = [dirname(node), join(root, 'node_modules', '.bin'), process.env.PATH ?? ''];
const child = spawn(node, [resolve(root, file), ...args], {
  stdio: 'inherit',
  env: {
    // LevelDB and Node's own file calls share one pool; its size is fixed when a process starts.
    UV_THREADPOOL_SIZE: '16',
    // Types are stripped, and code is compiled, once for each change of a file, not at each start.
    NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'node'),
    ...process.env,
    PATH: path.join(delimiter),
  },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    // A terminal sends Ctrl-C to the child as well; twice would mean "at once".
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on('error', (error) => {
  process.stderr.write(`lockstep: cannot start ${node}: ${error.message}\n`);
  process.exit(1);
});
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
