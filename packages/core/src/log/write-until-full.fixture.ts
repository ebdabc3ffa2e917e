import { NodeId } from '@lockstep/contract/ids';
import { openLevelLog } from './level-log.ts';
import { batch, entry, threeVoters } from './log-samples.ts';

/*
 * Run by level-log.test.ts in a process of its own, whose files may not grow past a limit: writes entries until that fails,
 * goes on as LevelDB would let it, and prints what it hears.
 */

// Without a handler SIGXFSZ ends the process before the write can fail.
process.on('SIGXFSZ', () => undefined);

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const [directory = ''] = process.argv.slice(2);
let failures = 0;
const { store } = await openLevelLog({
  directory,
  clusterId: 'c1',
  node: NodeId(1),
  format: { incarnation: 77, membership: threeVoters },
  onFatal: (error) => {
    failures++;
    print(`fatal ${error.message}`);
    for (let more = 0; more < 5; more++) writeNext();
    setImmediate(() => {
      print('closing');
      void store.close().finally(() => process.exit(74));
    });
  },
});

let index = 0;
function writeNext(): void {
  index++;
  const written = index;
  store.write([batch({ entries: [entry(written, 1, 700)] })], () => {
    print(`acknowledged ${written}${failures > 0 ? ' after the failure' : ''}`);
    writeNext();
  });
}
writeNext();
