import { setTimeout } from 'node:timers/promises';
import { readSalt } from '@lockstep/auth/token/token-id';
import type { Decision, Reply } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { type Admitted, admit } from './admit.ts';
import type { FactResult } from './apply-transaction.ts';
import type { DoorReply, DoorRequest } from './doors/door.ts';
import type { Host } from './host.ts';
import { type RememberedOutcome, recallOutcome, rememberedKey } from './idempotency.ts';
import { decisionAttemptsMax, rememberedReplyBytesMax, repeaterLeavesMs } from './limits.ts';
import { hostMount, tokenMount } from './mounts.ts';
import type { Recorded } from './positions.ts';
import { encodeTransaction, type FactRecord, type HostExpect, type Remembered } from './transaction.ts';
import { deadlineOf } from './wait.ts';

/**
 * The life of every request that needs the state: readIndex → token → policy → audit → handle → record → audit → reply. It
 * never throws: every refusal is a reply, audited where there is an audit.
 */
export async function handleRequest(host: Host, request: DoorRequest): Promise<DoorReply> {
  const deadline = deadlineOf(request, performance.now());
  const audited = host.audit.begin(request);
  try {
    for (let attempt = 1; attempt <= decisionAttemptsMax; attempt++) {
      const now = await host.confirmRead(deadline);
      const admitted = admit(host, request, now);
      if (attempt === 1) await audited.request(admitted);
      const outcome = await decideAndRecord(host, { request, admitted, deadline, number: attempt });
      if (outcome.kind === 'again') continue;
      const reply = withWarnings(outcome.reply, admitted);
      await audited.response(reply);
      return { kind: 'reply', reply, requestId: request.requestId };
    }
    throw new LockstepError(
      'contended',
      `the state changed under this request ${decisionAttemptsMax} times; nothing was changed, try again`,
    );
  } catch (error) {
    const refusal = host.refusalOf(error, request);
    // Fail closed: a refusal that can't be audited tells the caller nothing but that.
    return await audited.refusal(refusal).then(
      () => refusal,
      (cause: unknown) => host.refusalOf(cause, request),
    );
  }
}

type Outcome = { readonly kind: 'answered'; readonly reply: Reply } | { readonly kind: 'again' };

interface Attempt {
  readonly request: DoorRequest;
  readonly admitted: Admitted;
  readonly deadline: number;
  /** From 1. */
  readonly number: number;
}

async function decideAndRecord(host: Host, attempt: Attempt): Promise<Outcome> {
  const { request, admitted, deadline } = attempt;
  const { route, call } = admitted;
  const once = onceOf(host, request, admitted);
  const repeats = once?.outcome;
  if (repeats !== undefined && route.onRepeat === 'replay') return { kind: 'answered', reply: replayed(repeats) };
  if (repeats !== undefined) await requireRepeater(attempt);
  const decision = await route.handle({ ...call, supersedes: repeats?.results }, admitted.fields as never);
  if (once !== undefined) requireRepeatable(decision);
  const use = host.tokenUse(admitted.token);
  if ((decision.facts ?? []).length + use.facts.length === 0) return { kind: 'answered', reply: replyOf(decision, []) };
  const transaction = transactionOf({ admitted, decision, once, use });
  const recorded = await host.record(transaction, deadline, { isRelief: route.isRelief });
  return settle(recorded, decision);
}

/**
 * A repeat takes the place of what was issued before. That is for a caller who is still there and who began after that was done:
 * a try that its client has given up must not take back what a later try was given, however late it gets here.
 */
async function requireRepeater({ request, number }: Attempt): Promise<void> {
  if (number > 1)
    throw new LockstepError(
      'contended',
      'a request with this idempotency key was applied while this one was under way; nothing was changed by this one, repeat it to take its place',
    );
  // A node that was busy or paused finds the request in its sockets first, and only then that its sender has hung up.
  await setTimeout(repeaterLeavesMs);
  if (request.signal.aborted)
    throw new LockstepError('deadline-exceeded', 'the caller has gone; nothing was changed by this request');
}

/** One key, one live credential: a credential that leaves no trace can't be taken back when its request is repeated. */
function requireRepeatable(decision: Decision<Uint8Array>): void {
  if (decision.leavesNoTrace === true)
    throw new LockstepError(
      'invalid-input',
      'an idempotency key cannot be honoured here: nothing of what this request issues is stored, so a repeat could not take it back; leave the key out',
    );
}

function settle(recorded: Recorded, decision: Decision<Uint8Array>): Outcome {
  switch (recorded.kind) {
    case 'applied':
      return { kind: 'answered', reply: replyOf(decision, recorded.results) };
    case 'conflict':
    case 'not-appended':
      return { kind: 'again' };
    case 'failed':
      throw new LockstepError(
        'internal',
        `mount ${recorded.mount} could not apply the change and is out of service; nothing was changed`,
        { cause: recorded.cause },
      );
    case 'unknown':
      throw new LockstepError(
        'outcome-unknown',
        `the outcome of this write is unknown: ${recorded.reason}. read before writing again, or repeat it with the same idempotency key`,
      );
    default:
      return recorded satisfies never;
  }
}

function replyOf(decision: Decision<Uint8Array>, results: readonly FactResult[]): Reply {
  return typeof decision.reply === 'function' ? decision.reply(results) : decision.reply;
}

/** The record under the request's idempotency key, if it has one. */
interface Once {
  readonly key: string;
  readonly version: number;
  readonly outcome: RememberedOutcome | undefined;
}

function onceOf(host: Host, request: DoorRequest, admitted: Admitted): Once | undefined {
  if (request.idempotencyKey === undefined) return undefined;
  const key = rememberedKey({
    salt: readSalt(host.state(tokenMount)),
    idempotencyKey: request.idempotencyKey,
    tokenId: admitted.caller?.tokenId ?? '',
    path: `${request.operation} ${request.path}`,
    body: JSON.stringify(request.data),
  });
  return { key, ...recallOutcome(host.state(hostMount), key, admitted.call.now) };
}

// The handler doesn't run again: the state that it would decide by has moved on since the first time.
function replayed(outcome: RememberedOutcome): Reply {
  if (outcome.reply !== undefined) return JSON.parse(outcome.reply);
  const first = outcome.results[0];
  if (outcome.isFromResult) return first === undefined ? {} : { data: first };
  throw new LockstepError(
    'failed-precondition',
    'an earlier request with this idempotency key was applied, and its reply held a secret that is not kept; look the result up, or use a new key',
  );
}

interface Decided {
  readonly admitted: Admitted;
  readonly decision: Decision<Uint8Array>;
  readonly once: Once | undefined;
  readonly use: { readonly facts: readonly FactRecord[]; readonly expects: readonly HostExpect[] };
}

function transactionOf({ admitted, decision, once, use }: Decided): Buffer {
  const mount = admitted.mount.view.id;
  const expects: readonly HostExpect[] = [
    ...admitted.expects,
    ...use.expects,
    ...(decision.expects ?? []).map((expect): HostExpect => ({ ...expect, mount })),
  ];
  const facts = (decision.facts ?? []).map((fact) => ({ mount, factVersion: admitted.call.factVersion, fact }));
  return encodeTransaction({
    expects,
    restoredIndex: admitted.restoredIndex,
    facts: [...facts, ...use.facts],
    // Where the handler changes nothing there is nothing to be done twice, and its reply may hold what no fact may (a token).
    remembered: once === undefined || facts.length === 0 ? undefined : rememberedOf(once, { admitted, decision }),
  });
}

/** A reply is stored only where it is no secret and doesn't depend on what apply returns. */
function rememberedOf(
  once: Once,
  made: { readonly admitted: Admitted; readonly decision: Decision<Uint8Array> },
): Remembered {
  const { admitted, decision } = made;
  const isStorable =
    admitted.route.onRepeat === 'replay' &&
    decision.isSecret !== true &&
    typeof decision.reply !== 'function' &&
    decision.reply.auth === undefined &&
    decision.reply.raw === undefined;
  const reply = isStorable ? JSON.stringify(decision.reply) : undefined;
  if (reply !== undefined && reply.length > rememberedReplyBytesMax) {
    throw new LockstepError(
      'too-large',
      `the reply to this request is too large to be remembered under an idempotency key (at most ${rememberedReplyBytesMax} bytes)`,
    );
  }
  return { key: once.key, reply, isFromResult: typeof decision.reply === 'function', supersedesVersion: once.version };
}

function withWarnings(reply: Reply, admitted: Admitted): Reply {
  if (admitted.unknownFields.length === 0) return reply;
  const warning = `Endpoint ignored these unrecognized parameters: [${[...admitted.unknownFields].sort().join(' ')}]`;
  return { ...reply, warnings: [...(reply.warnings ?? []), warning] };
}
