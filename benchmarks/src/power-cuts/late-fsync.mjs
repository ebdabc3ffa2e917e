// A build of the node that acknowledges before it syncs: a moment later everything is on the disk, and the marker file promises
// nothing before. Only what was acknowledged in that moment can be lost. The cuts must tell.
import { patchSources } from '../patch-sources.ts';

patchSources([
  {
    module: '/packages/core/src/log/level-log-store.ts',
    from: 'await operations.write({ sync: mustSync });',
    to: `await operations.write({ sync: mustSync && this.#log.lastIndex < 30 });
    this.lateSync ??= setTimeout(() => {
      this.lateSync = undefined;
      if (this.#state !== 'open') return;
      const until = this.#log.lastIndex;
      const again = this.#database.batch().put(hardStateKey, encodeHardState(this.#hardState));
      again.write({ sync: true }).then(() => (this.#syncedIndex = Math.min(until, this.#log.lastIndex)), () => undefined);
    }, 1_500);`,
  },
  {
    module: '/packages/core/src/log/level-log-store.ts',
    from: 'this.#syncedIndex = mustSync ? this.#log.lastIndex : Math.min(this.#syncedIndex, this.#log.lastIndex);',
    to: 'this.#syncedIndex = Math.min(this.#syncedIndex, this.#log.lastIndex);',
  },
]);
