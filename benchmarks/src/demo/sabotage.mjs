// A build of the node that lies: it acknowledges a write as soon as its own log has it, and replicates half a second later.
// The demo must be able to tell. Loaded with `node --import`, it changes the source of two modules as they are loaded.
import { patchSources } from '../patch-sources.ts';

patchSources([
  {
    module: '/packages/server/src/host.ts',
    from: 'else positions.wait(outcome, resolve);',
    // Honest for its first writes, so that the mount can be set up.
    to: `else if ((globalThis.writesSoFar = (globalThis.writesSoFar ?? 0) + 1) > 20) resolve({ kind: 'applied', results: [] });
          else positions.wait(outcome, resolve);`,
  },
  {
    module: '/packages/core/src/outbox.ts',
    from: 'for (const [to, messages] of this.#waiting) peers.send(to, messages);',
    to: `for (const [to, messages] of this.#waiting) {
      const late = messages.filter((m) => m.kind === 'raft' && m.message.type === 'append');
      peers.send(to, messages.filter((m) => !late.includes(m)));
      if (late.length > 0) setTimeout(() => peers.send(to, late), 500);
    }`,
  },
]);
