import type { MemoryLogImage } from '@lockstep/core/log/memory-log';
import { insist } from '../violation.ts';
import { LogView } from './log-view.ts';
import type { NodeView } from './node-view.ts';

/** At every moment, and so in whatever a crash leaves: an entry comes with its term, or after it. */
export function checkTermOfEntries(id: number, { lastTerm, term }: LogView): void {
  insist(
    '14 no entry is of a later term than the disk knows',
    lastTerm <= term,
    () => `node ${id}: on its disk term ${term}, and an entry of term ${lastTerm}`,
  );
}

/** A crash keeps what was fsynced and the oldest of what was not: nothing else, and nothing less. */
export function checkCrashImage(node: NodeView, image: MemoryLogImage): void {
  const after = LogView.of(image);
  checkTermOfEntries(node.id, after);
  const { durable, unsynced } = node;
  const isAfter = (): boolean =>
    durable.term === after.term &&
    durable.vote === after.vote &&
    durable.lastIndex === after.lastIndex &&
    durable.lastTerm === after.lastTerm;
  const fsynced = `term ${durable.term}, vote ${durable.vote}, up to ${durable.lastTerm}/${durable.lastIndex}`;
  let isFound = isAfter();
  for (const batch of unsynced) {
    if (isFound) break;
    durable.apply(batch);
    isFound = isAfter();
  }
  insist(
    '10 what is durable survives a crash',
    isFound,
    () =>
      `node ${node.id} had ${fsynced} on its disk, and after a crash term ${after.term}, vote ${after.vote}, up to ${after.lastTerm}/${after.lastIndex}`,
  );
}

/** A node begins with what its disk held. */
export function checkRestart(node: NodeView, { log, id }: NodeView): void {
  const { durable } = node;
  insist(
    '11 a term never goes back',
    log.term === durable.term && log.vote === durable.vote,
    () => `node ${id} starts in term ${log.term} with vote ${log.vote}; its disk had ${durable.term}, ${durable.vote}`,
  );
}
