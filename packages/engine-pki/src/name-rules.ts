// Which names a role allows: Vault's rules in Vault's order, on names in their final form.
import { LockstepError } from '@lockstep/contract/errors';
import { oidOf } from './der.ts';
import {
  isWithin,
  ipBytes,
  ipText,
  type AlternativeNames,
  type Network,
  type OtherName,
  nameCount,
  networkOf,
} from './general-names.ts';
import { hostnameOf, matchesGlob, type ParsedName, parseName } from './hostnames.ts';
import { commonNameLengthMax, namesMax, otherNameLengthMax, uriLengthMax } from './limits.ts';
import type { Role } from './records.ts';
import { hasControlCharacter } from './subject.ts';

/** A role's rules about names, parsed once. */
export interface NameRules {
  readonly role: Role;
  /** In their final form; those with a `*` are for globs and bare names only. */
  readonly domains: readonly string[];
  readonly networks: readonly Network[];
}

/** As asked for, by the fields of a request or by a certificate request. */
export interface AskedNames {
  readonly commonName: string | undefined;
  /** Hosts, wildcards and mailboxes in any order, as text. */
  readonly names: readonly string[];
  readonly ips: readonly Uint8Array[];
  readonly uris: readonly string[];
  readonly others: readonly OtherName[];
  readonly excludesCommonName: boolean;
}

/** Checked by a role: what the certificate gets. */
export interface CheckedNames {
  readonly commonName: string | undefined;
  readonly alternatives: AlternativeNames;
}

export function nameRules(role: Role): NameRules {
  return {
    role,
    domains: role.allowed_domains.map(finalDomain),
    networks: role.allowed_ip_sans_cidr.map((cidr) => {
      const network = networkOf(cidr);
      if (network === undefined)
        throw new LockstepError(
          'invalid-input',
          `allowed_ip_sans_cidr holds "${cidr}", which is not a network such as 10.0.0.0/8`,
        );
      return network;
    }),
  };
}

/** Patterns and mailboxes keep their form; a host's name takes its final one. */
function finalDomain(domain: string): string {
  return hostnameOf(domain) ?? domain.toLowerCase();
}

/** The names of one certificate. Refuses what the role doesn't allow, naming the name and the rule. */
export function checkNames(asked: AskedNames, rules: NameRules): CheckedNames {
  const commonName = checkCommonName(asked.commonName, rules);
  const dns: string[] = [];
  const emails: string[] = [];
  const add = (parsed: ParsedName): void => {
    const list = parsed.kind === 'email' ? emails : dns;
    if (!list.includes(parsed.name)) list.push(parsed.name);
  };
  if (commonName?.parsed !== undefined && !asked.excludesCommonName) {
    // With validation of common names off, the name still has to be allowed as an alternative one.
    if (commonName.isChecked || rule(commonName.parsed, rules) === undefined) add(commonName.parsed);
  }
  if (asked.names.length + asked.ips.length + asked.uris.length > namesMax) refuseCount();
  for (const name of asked.names) add(checkAlternative(name, rules));
  const alternatives = {
    dns,
    emails,
    ips: checkIps(asked.ips, rules),
    uris: checkUris(asked.uris, rules),
    others: checkOthers(asked.others, rules),
  };
  if (nameCount(alternatives) > namesMax) refuseCount();
  return { commonName: commonName?.name, alternatives };
}

function refuseCount(): never {
  throw new LockstepError('invalid-input', `a certificate must have at most ${namesMax} names`);
}

interface CommonName {
  readonly name: string;
  readonly parsed: ParsedName | undefined;
  readonly isChecked: boolean;
}

function checkCommonName(name: string | undefined, rules: NameRules): CommonName | undefined {
  const { role } = rules;
  if (name === undefined || name === '') {
    if (!role.require_cn) return undefined;
    throw new LockstepError(
      'invalid-input',
      'the common_name field is required, or must be provided in a CSR with "use_csr_common_name" set to true, unless "require_cn" is set to false',
    );
  }
  if (hasControlCharacter(name))
    throw new LockstepError('invalid-input', 'common_name must not contain control characters');
  if (Array.from(name).length > commonNameLengthMax)
    throw new LockstepError(
      'invalid-input',
      `common_name must be at most ${commonNameLengthMax} characters long (RFC 5280)`,
    );
  const parsed = parseName(name);
  if (role.cn_validations.includes('disabled')) return { name, parsed, isChecked: false };
  const form = name.includes('@') ? 'email' : 'hostname';
  const broken = role.cn_validations.includes(form)
    ? ruleForText(name, parsed, rules)
    : `its cn_validations do not include ${form}`;
  if (broken !== undefined)
    throw new LockstepError('invalid-input', `common name ${name} not allowed by this role: ${broken}`);
  return { name, parsed, isChecked: true };
}

/** A common name that is no host's name is for roles that allow any name and don't enforce hostnames. */
function ruleForText(name: string, parsed: ParsedName | undefined, rules: NameRules): string | undefined {
  if (parsed !== undefined) return rule(parsed, rules);
  const { role } = rules;
  if (name.includes('*') && !role.allow_wildcard_certificates) return 'wildcards are not allowed';
  if (role.enforce_hostnames) return 'it is not a hostname';
  if (role.allow_any_name) return undefined;
  const lower = name.toLowerCase();
  const isListed = rules.domains.some(
    (domain) =>
      (role.allow_bare_domains && domain === lower) ||
      (role.allow_glob_domains && domain.includes('*') && matchesGlob(domain, lower)),
  );
  return isListed ? undefined : 'it is not among the allowed domains';
}

function checkAlternative(name: string, rules: NameRules): ParsedName {
  const kind = name.includes('@') ? 'email address' : 'subject alternate name';
  if (hasControlCharacter(name))
    throw new LockstepError('invalid-input', `a ${kind} must not contain control characters`);
  const parsed = parseName(name);
  const broken = parsed === undefined ? whyNoName(name) : rule(parsed, rules);
  if (parsed === undefined || broken !== undefined)
    throw new LockstepError('invalid-input', `${kind} ${name} not allowed by this role: ${broken}`);
  return parsed;
}

function whyNoName(name: string): string {
  if (ipBytes(name) !== undefined) return 'it is an address, which belongs in ip_sans';
  if (name.includes('@')) return 'it is not a mailbox at a hostname';
  return name.includes('*') ? 'a wildcard must be the whole leftmost label of a hostname' : 'it is not a hostname';
}

/** The rule that forbids this name, or undefined where the role allows it. */
function rule({ name, kind, host }: ParsedName, rules: NameRules): string | undefined {
  const { role } = rules;
  if (kind === 'wildcard' && !role.allow_wildcard_certificates) return 'wildcards are not allowed';
  if (role.allow_any_name) return undefined;
  if (role.allow_localhost && isLocal(host, kind, role)) return undefined;
  const lower = name.toLowerCase();
  const isAllowed = rules.domains.some(
    (domain) =>
      (role.allow_bare_domains && (lower === domain || (kind === 'email' && host === domain))) ||
      (role.allow_subdomains && (host.endsWith(`.${domain}`) || (kind === 'wildcard' && host === domain))) ||
      (role.allow_glob_domains && domain.includes('*') && matchesGlob(domain, lower)),
  );
  return isAllowed ? undefined : 'it is not among the allowed domains';
}

function isLocal(host: string, kind: ParsedName['kind'], role: Role): boolean {
  for (const local of ['localhost', 'localdomain']) {
    if (kind !== 'wildcard' && host === local) return true;
    if (role.allow_subdomains && (host.endsWith(`.${local}`) || (kind === 'wildcard' && host === local))) return true;
  }
  return false;
}

function checkIps(ips: readonly Uint8Array[], { role, networks }: NameRules): readonly Uint8Array[] {
  if (ips.length > 0 && !role.allow_ip_sans)
    throw new LockstepError(
      'invalid-input',
      `IP Subject Alternative Names are not allowed in this role, but was provided ${ips.map(ipText).join(', ')}`,
    );
  for (const ip of ips) {
    if (networks.length > 0 && !networks.some((network) => isWithin(ip, network)))
      throw new LockstepError('invalid-input', `the IP address "${ipText(ip)}" is not allowed in this role`);
  }
  return ips.filter((ip, at) => ips.findIndex((other) => Buffer.compare(ip, other) === 0) === at);
}

function checkUris(uris: readonly string[], { role }: NameRules): readonly string[] {
  if (uris.length > 0 && role.allowed_uri_sans.length === 0)
    throw new LockstepError('invalid-input', 'URI Subject Alternative Names are not allowed in this role');
  for (const uri of uris) {
    if (uri.length > uriLengthMax || !/^[\x21-\x7e]+$/.test(uri) || !URL.canParse(uri))
      throw new LockstepError(
        'invalid-input',
        `uri_sans must hold absolute URIs in ASCII of at most ${uriLengthMax} bytes`,
      );
    if (!role.allowed_uri_sans.some((pattern) => matchesGlob(pattern, uri)))
      throw new LockstepError('invalid-input', `URI Subject Alternative Name ${uri} is not valid for this role`);
  }
  return [...new Set(uris)];
}

function checkOthers(others: readonly OtherName[], { role }: NameRules): readonly OtherName[] {
  for (const { oid, value } of others) {
    const isAllowed = role.allowed_other_sans.some((allowed) => {
      if (allowed === '*') return true;
      const [allowedOid, pattern] = splitOther(allowed);
      return allowedOid === oid && matchesGlob(pattern, value);
    });
    if (!isAllowed) throw new LockstepError('invalid-input', `other SAN OID ${oid} not allowed by this role`);
  }
  return others;
}

function splitOther(text: string): readonly [string, string] {
  const found = /^([0-9.]+);(?:UTF8|UTF-8):(.*)$/i.exec(text);
  return [found?.[1] ?? '', found?.[2] ?? ''];
}

/** `<oid>;UTF8:<text>`, as `other_sans` and `allowed_other_sans` hold them. */
export function parseOtherName(field: string, text: string): OtherName {
  const [oid, value] = splitOther(text);
  const oidDer = oidOf(oid);
  if (oidDer === undefined || value === '' || value.length > otherNameLengthMax || hasControlCharacter(value))
    throw new LockstepError('invalid-input', `${field} must hold elements of the form <oid>;UTF8:<text>`);
  return { oid, oidDer, value };
}

export function parseIps(field: string, texts: readonly string[]): readonly Uint8Array[] {
  return texts.map((text) => {
    const ip = ipBytes(text);
    if (ip === undefined)
      throw new LockstepError('invalid-input', `${field}: the value "${text}" is not a valid IP address`);
    return ip;
  });
}
