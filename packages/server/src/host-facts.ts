import { type Codec, facts, message, repeatedText, text } from '@lockstep/contract/wire';

/** What the host records on its own behalf, besides what comes with requests. */
export type HostFact =
  /** Remembered outcomes whose time is over, by their keys in the index by time. */
  | { readonly type: 'outcomesForgotten'; readonly dueKeys: readonly string[] }
  /** Some of what a mount held that was disabled before. */
  | { readonly type: 'keysDropped'; readonly mount: string; readonly keys: readonly string[] }
  /** Nothing of that mount is left. */
  | { readonly type: 'mountForgotten'; readonly mount: string };

/** On the wire as in protos/lockstep/facts/host/v1/facts.proto. */
export const hostFacts: Codec<HostFact> = facts({
  outcomesForgotten: [1, message({ dueKeys: repeatedText(1) })],
  keysDropped: [2, message({ mount: text(1), keys: repeatedText(2) })],
  mountForgotten: [3, message({ mount: text(1) })],
});
