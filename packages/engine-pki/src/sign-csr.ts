import type { Call, Decision } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import type { PkiFact } from './facts.ts';
import { ipText } from './general-names.ts';
import { decideLeaf } from './issue-certificate.ts';
import { askedNames, type SignValues } from './issue-fields.ts';
import { rsaBitsMin } from './limits.ts';
import type { AskedNames } from './name-rules.ts';
import type { PublicKey } from './public-key.ts';
import type { Role } from './records.ts';
import { requireRole } from './role-profile.ts';
import { type VerifiedCsr, verifyCsr } from './verify-csr.ts';

/** Signs a certificate for the key of a request, with the names that the role takes from it or from the fields. */
export function signCsr(call: Call, values: SignValues): Decision<PkiFact> {
  const found = requireRole(call.state, values.role);
  const { role } = found.profile;
  const csr = verifyCsr(values.csr);
  checkKey(csr.publicKey, role);
  const names = signedNames(csr, role, askedNames(values));
  return decideLeaf(call, found, values, {
    names,
    serialNumber: values.serial_number,
    userIds: values.user_ids,
    publicKey: csr.publicKey,
    key: undefined,
    warnings: leftOut(role, askedNames(values), names),
  });
}

function checkKey(key: PublicKey, role: Role): void {
  if (role.key_type !== 'any' && role.key_type !== key.type)
    throw new LockstepError('invalid-input', `role requires keys of type ${role.key_type}`);
  const least =
    key.type === 'rsa'
      ? Math.max(role.key_bits, rsaBitsMin)
      : key.type === 'ec' && role.key_type === 'ec'
        ? role.key_bits
        : 0;
  if (key.bits < least)
    throw new LockstepError(
      'invalid-input',
      `role requires a minimum of a ${least}-bit key, but CSR's key is ${key.bits} bits`,
    );
}

function signedNames(csr: VerifiedCsr, role: Role, asked: AskedNames): AskedNames {
  const alternatives = role.use_csr_sans ? csr : asked;
  return {
    commonName: role.use_csr_common_name ? csr.commonName : asked.commonName,
    names: alternatives.names,
    ips: alternatives.ips,
    uris: alternatives.uris,
    others: alternatives.others,
    excludesCommonName: asked.excludesCommonName,
  };
}

/** Says which names of the fields are not in the certificate because the role takes them from the CSR. */
function leftOut(role: Role, asked: AskedNames, taken: AskedNames): readonly string[] {
  const warnings: string[] = [];
  if (
    role.use_csr_common_name &&
    asked.commonName !== undefined &&
    asked.commonName !== '' &&
    asked.commonName !== taken.commonName
  )
    warnings.push(
      'the common_name provided in the request was ignored: the role takes it from the CSR (use_csr_common_name)',
    );
  const listed = new Set(taken.names.map((name) => name.toLowerCase()));
  const listedIps = new Set(taken.ips.map(ipText));
  const listedUris = new Set(taken.uris);
  const isMissing =
    asked.names.some((name) => !listed.has(name.toLowerCase())) ||
    asked.ips.some((ip) => !listedIps.has(ipText(ip))) ||
    asked.uris.some((uri) => !listedUris.has(uri)) ||
    (role.use_csr_sans && asked.others.length > taken.others.length);
  if (isMissing)
    warnings.push(
      'alternative names provided in the request were ignored: the role takes them from the CSR (use_csr_sans)',
    );
  return warnings;
}
