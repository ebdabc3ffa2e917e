import { LockstepError } from '@lockstep/contract/errors';
import { NodeId } from '@lockstep/contract/ids';
import { membershipContextBytesMax, membershipStepsMax } from './limits.ts';
import type { MembershipChange, MembershipStep } from './types.ts';

/**
 * The data of a `membership` entry: format 1, transition, count of steps, each step's kind and node (8 bytes, big-endian), and
 * the context to the end. The log keeps it for ever: a later format takes the next number.
 */
const format = 1;
const headerBytes = 3;
const stepBytes = 9;
const transitions = ['auto', 'joint-implicit', 'joint-explicit'] as const;
const kinds = ['add-voter', 'add-learner', 'remove', 'update'] as const;

/** Refuses more steps or context than the limits allow, and node 0. */
export function encodeMembershipChange(change: MembershipChange): Uint8Array {
  const { steps, context } = change;
  requireBounds(steps.length, context.length);
  const bytes = new Uint8Array(headerBytes + steps.length * stepBytes + context.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = format;
  bytes[1] = transitions.indexOf(change.transition);
  bytes[2] = steps.length;
  steps.forEach(({ kind, node }, at) => {
    const offset = headerBytes + at * stepBytes;
    if (node === 0) throw refused('step names node 0, which is no node');
    bytes[offset] = kinds.indexOf(kind);
    view.setBigUint64(offset + 1, BigInt(node));
  });
  bytes.set(context, headerBytes + steps.length * stepBytes);
  return bytes;
}

/** Refuses everything that `encodeMembershipChange` does not write. The context is a view of `bytes`. */
export function decodeMembershipChange(bytes: Uint8Array): MembershipChange {
  const [version, transitionAt, count] = bytes;
  if (version === undefined || transitionAt === undefined || count === undefined) throw refused('is cut short');
  if (version !== format) throw refused(`has format ${version}, this version reads format ${format}`);
  const transition = transitions[transitionAt];
  if (transition === undefined) throw refused(`has an unknown transition ${transitionAt}`);
  const contextAt = headerBytes + count * stepBytes;
  if (bytes.length < contextAt) throw refused('is cut short');
  requireBounds(count, bytes.length - contextAt);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const steps: MembershipStep[] = [];
  for (let offset = headerBytes; offset < contextAt; offset += stepBytes) {
    const kind = kinds[view.getUint8(offset)];
    if (kind === undefined) throw refused(`has an unknown step ${view.getUint8(offset)}`);
    const node = view.getBigUint64(offset + 1);
    if (node === 0n || node > BigInt(Number.MAX_SAFE_INTEGER))
      throw refused(`names node ${node}, not an id of 53 bits`);
    steps.push({ kind, node: NodeId(Number(node)) });
  }
  return { transition, steps, context: bytes.subarray(contextAt) };
}

function requireBounds(steps: number, contextBytes: number): void {
  if (steps > membershipStepsMax) throw refused(`has ${steps} steps, at most ${membershipStepsMax} are allowed`);
  if (contextBytes > membershipContextBytesMax) {
    throw refused(`has ${contextBytes} bytes of context, at most ${membershipContextBytesMax} are allowed`);
  }
}

function refused(rule: string): LockstepError {
  return new LockstepError('invalid-input', `membership change ${rule}`);
}
