// A build of the node that never syncs its log: what the kernel holds survives a kill, but no power cut. The cuts must tell;
// most often the nodes do so themselves, since their marker files remember more than their logs.
import { patchSources } from '../patch-sources.ts';

patchSources([
  {
    module: '/packages/core/src/log/level-log-store.ts',
    from: 'await operations.write({ sync: mustSync });',
    to: 'await operations.write({ sync: false });',
  },
]);
