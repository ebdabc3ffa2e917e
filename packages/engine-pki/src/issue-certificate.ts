import type { Call, Decision, Expect } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { PkiFact } from './facts.ts';
import { generateKey, type KeyPair, type KeySpec, keySpec } from './generate-key.ts';
import { askedNames, type IssueValues, type LeafValues, refuseNotBefore } from './issue-fields.ts';
import { certificateKey } from './keys.ts';
import { drawSerial, issueLeaf } from './leaf.ts';
import { locationsFor, requireIssuer, signingKeyOf } from './load-issuer.ts';
import { matchesGlob } from './hostnames.ts';
import { type AskedNames, checkNames } from './name-rules.ts';
import type { KeyType, PublicKey } from './public-key.ts';
import type { Role } from './records.ts';
import { issuanceReply } from './reply-format.ts';
import { revocationFact } from './revoke-certificate.ts';
import { type FoundRole, requireRole } from './role-profile.ts';
import { leafValidity } from './validity.ts';

/**
 * Makes a key and a certificate for it. The private key is in the reply only. A repeat with the same idempotency key revokes the
 * certificate of the first time in the same transaction, so that one request never leaves two of them good.
 */
export async function issueCertificate(call: Call, values: IssueValues): Promise<Decision<PkiFact>> {
  const role = requireRole(call.state, values.role);
  const { spec, warnings } = issuedKey(role.profile.role, values);
  const key = await generateKey(call, spec);
  const asked = {
    names: askedNames(values),
    serialNumber: values.serial_number,
    userIds: values.user_ids,
    publicKey: key.publicKey,
    key,
    warnings,
  };
  const decision = decideLeaf(call, role, values, asked);
  return { ...decision, facts: [...supersededFacts(call), ...(decision.facts ?? [])] };
}

/** The role's key, or where it leaves the type open the request's, or P-256. */
function issuedKey(role: Role, values: IssueValues): { spec: KeySpec; warnings: readonly string[] } {
  if (role.key_type === 'any') return { spec: keySpec(typeOf(values.key_type), values.key_bits), warnings: [] };
  const isIgnored =
    (values.key_type !== '' && values.key_type !== role.key_type) ||
    (values.key_bits !== 0 && values.key_bits !== role.key_bits);
  return {
    spec: keySpec(typeOf(role.key_type), role.key_bits),
    warnings: isIgnored ? ['parameters key_type and key_bits ignored as role had specific values'] : [],
  };
}

export function typeOf(name: string): KeyType {
  return name === 'rsa' || name === 'ed25519' ? name : 'ec';
}

/** What to say of the certificates that an earlier run of this request issued. */
function supersededFacts(call: Call): readonly PkiFact[] {
  return (call.supersedes ?? []).flatMap((result) => {
    const serial = result?.['issued'];
    return typeof serial === 'string' ? (revocationFact(call.state, serial) ?? []) : [];
  });
}

/** A leaf as asked for, its key known. */
export interface AskedLeaf {
  readonly names: AskedNames;
  readonly serialNumber: string | undefined;
  readonly userIds: readonly string[];
  readonly publicKey: PublicKey;
  readonly key: KeyPair | undefined;
  readonly warnings: readonly string[];
}

/** The rest of `issue` and `sign`: checks what is asked by the role, signs, and says what happened. */
export function decideLeaf(call: Call, found: FoundRole, values: LeafValues, asked: AskedLeaf): Decision<PkiFact> {
  refuseNotBefore(values);
  const { profile } = found;
  const { role } = profile;
  const { id, issuer, expects } = requireIssuer(call.state, values.issuer_ref ?? role.issuer_ref);
  if (!issuer.record.mayIssue)
    throw new LockstepError(
      'failed-precondition',
      `issuer ${id} may not issue certificates: its usage lacks issuing-certificates`,
    );
  const { names, serialNumber, userIds } = namedBy(found.name, () => checkSubject(asked, found));
  const validity = namedBy(found.name, () =>
    leafValidity(call, role, issuer, { ttl: values.ttl, notAfter: values.not_after }),
  );
  const serialBytes = drawSerial(call.random);
  const certificate = issueLeaf({
    issuer,
    signingKey: signingKeyOf(call.state, issuer),
    profile,
    locations: locationsFor(call.state, issuer),
    names,
    serialNumber,
    userIds,
    notBeforeMs: validity.notBeforeMs,
    notAfterMs: validity.notAfterMs,
    publicKey: asked.publicKey,
    serial: serialBytes,
  });
  const serial = serialBytes.toString('hex');
  const warnings = [...asked.warnings, ...validity.warnings];
  const data = issuanceReply({ certificate, serial, ...validity, issuer, key: asked.key }, values);
  const reply = warnings.length === 0 ? { data } : { data, warnings };
  const relied: readonly Expect[] = [found.expect, ...expects];
  if (role.no_store) return { leavesNoTrace: true, expects: relied, reply };
  const notAfterSeconds = validity.notAfterMs / 1000;
  return {
    facts: [{ type: 'certificateIssued', serial, issuerId: id, notAfterSeconds, certificate }],
    expects: [...relied, { kind: 'absent', key: certificateKey(serial) }],
    reply,
  };
}

function checkSubject(
  asked: AskedLeaf,
  { profile }: FoundRole,
): Pick<AskedLeaf, 'serialNumber' | 'userIds'> & { names: ReturnType<typeof checkNames> } {
  const { role } = profile;
  const serialNumber = asked.serialNumber === '' ? undefined : asked.serialNumber;
  if (serialNumber !== undefined && !role.allowed_serial_numbers.some((pattern) => matchesGlob(pattern, serialNumber)))
    throw new LockstepError('invalid-input', `serial_number ${serialNumber} not allowed by this role`);
  for (const id of asked.userIds) {
    if (!role.allowed_user_ids.some((pattern) => matchesGlob(pattern, id)))
      throw new LockstepError('invalid-input', `user_id ${id} is not allowed by this role`);
  }
  return { names: checkNames(asked.names, profile.names), serialNumber, userIds: asked.userIds };
}

/** Runs a check whose refusals are the role's, and says which role that is. */
function namedBy<T>(role: string, check: () => T): T {
  try {
    return check();
  } catch (cause) {
    if (!(cause instanceof LockstepError)) throw cause;
    const field = cause.field === undefined ? {} : { field: cause.field };
    throw new LockstepError(cause.code, `${cause.message} (role "${role}")`, { cause, ...field });
  }
}
