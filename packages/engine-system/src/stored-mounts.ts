import { type MessageCodec, message, repeatedEmbed } from '@lockstep/contract/wire';
import { type MountRecord, mountShape } from './facts.ts';

const mountRecord: MessageCodec<MountRecord> = message(mountShape);

/** What is stored under `mounts`. */
export const storedMounts: MessageCodec<{ readonly mounts: readonly MountRecord[] }> = message({
  mounts: repeatedEmbed(1, mountRecord),
});
