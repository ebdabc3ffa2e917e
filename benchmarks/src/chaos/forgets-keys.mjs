// A build of the node that takes every idempotency key for a new one, so that a retry has its effect twice.
import { patchSources } from '../patch-sources.ts';

patchSources([
  {
    module: '/packages/server/src/request.ts',
    from: 'if (request.idempotencyKey === undefined) return undefined;',
    to: 'return undefined;',
  },
]);
