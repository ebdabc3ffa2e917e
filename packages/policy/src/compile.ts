import type { Capability } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { type Block, type Entry, parseHcl, quoted, refusalAt, type Value } from './hcl.ts';
import { policyBytesMax, rulePathLengthMax } from './limits.ts';
import { Matcher } from './matcher.ts';
import { patternOf, type Rule } from './rule.ts';

/** One policy, ready to be asked. */
export interface CompiledPolicy {
  /** Allows everything. Only the built-in policy `root`. */
  readonly isRoot: boolean;
  readonly rules: readonly Rule[];
  readonly matcher: Matcher;
  readonly hasDeny: boolean;
  /** The same rules with their paths in lower case: a deny also holds for every other spelling of its path. */
  readonly folded: Matcher;
}

export const capabilityNames: readonly Capability[] = ['create', 'read', 'update', 'patch', 'delete', 'list', 'sudo'];
const capabilityByName: ReadonlyMap<string, Capability> = new Map(capabilityNames.map((name) => [name, name]));

/** What Vault's policies may hold and these can't yet: refused at the write, since a restriction that is ignored grants. */
const restrictions: ReadonlySet<string> = new Set([
  'allowed_parameters',
  'denied_parameters',
  'required_parameters',
  'min_wrapping_ttl',
  'max_wrapping_ttl',
  'control_group',
  'mfa_methods',
  'expiration',
  'pagination_limit',
  'list_scan_response_keys_filter_path',
]);

export const rootPolicy: CompiledPolicy = { ...compiled([]), isRoot: true };

/**
 * Compiles a policy in HCL or JSON. Refuses with `invalid-input`, naming line, column and rule, whatever it can't enforce: unknown keys
 * and capabilities, parameter restrictions, templates, wildcards elsewhere than at the end or as a whole segment, two rules for one path.
 */
export function compilePolicy(text: string): CompiledPolicy {
  if (Buffer.byteLength(text) > policyBytesMax)
    throw new LockstepError('invalid-input', `policy must be at most ${policyBytesMax} bytes long`);
  const rules: Rule[] = [];
  const seen = new Set<string>();
  for (const { path, body, at } of ruleBlocks(text, parseHcl(text))) {
    requirePath(text, path, at);
    if (seen.has(path)) throw refusalAt(text, at, `the path ${quoted(path)} has two rules; join them`);
    seen.add(path);
    rules.push(ruleOf(text, path, body));
  }
  return compiled(rules);
}

function compiled(rules: readonly Rule[]): CompiledPolicy {
  return {
    isRoot: false,
    rules,
    matcher: new Matcher(rules),
    hasDeny: rules.some((rule) => rule.isDeny),
    folded: new Matcher(foldCase(rules)),
  };
}

// Two spellings of one path become one rule, which denies if either does.
function foldCase(rules: readonly Rule[]): readonly Rule[] {
  const folded = new Map<string, Rule>();
  for (const rule of rules) {
    const text = rule.pattern.text.toLowerCase();
    if (rule.isDeny || !folded.has(text)) folded.set(text, { ...rule, pattern: patternOf(text) });
  }
  return [...folded.values()];
}

interface RuleBlock {
  readonly path: string;
  readonly body: Block;
  readonly at: number;
}

// HCL: `path "x" { … }`. JSON: {"path": {"x": { … }}}, or a list of such objects.
function ruleBlocks(text: string, document: Block): readonly RuleBlock[] {
  return document.entries.flatMap((entry) => {
    if (entry.key !== 'path')
      throw refusalAt(text, entry.at, `unknown key ${quoted(entry.key)} (a policy holds path rules only)`);
    if (entry.labels.length > 1) throw refusalAt(text, entry.at, 'a path rule has one path');
    const [label] = entry.labels;
    if (label !== undefined) return [{ path: label, body: requireBlock(text, entry.value), at: entry.at }];
    const holders = entry.value.kind === 'list' ? entry.value.items : [entry.value];
    return holders.flatMap((holder) => requireBlock(text, holder).entries.map((inner) => blockOf(text, inner)));
  });
}

function blockOf(text: string, entry: Entry): RuleBlock {
  return { path: entry.key, body: requireBlock(text, entry.value), at: entry.at };
}

function requireBlock(text: string, value: Value): Block {
  if (value.kind !== 'block')
    throw refusalAt(text, value.at, 'a path rule must be a block: path "…" { capabilities = […] }');
  return value;
}

function requirePath(text: string, path: string, at: number): void {
  const refuse = (rule: string): never => {
    throw refusalAt(text, at, `the path ${quoted(path)} ${rule}`);
  };
  if (path === '') refuse('is empty');
  if (path.length > rulePathLengthMax) refuse(`is longer than ${rulePathLengthMax} characters`);
  if (path.startsWith('/')) refuse('must not begin with "/"');
  if (path.includes('{{')) refuse('is a template, which policies do not support yet');
  if (path.includes('+*')) refuse('holds "+*", which is forbidden');
  if (path.slice(0, -1).includes('*')) refuse('may hold "*" only at its end');
  if (path.split('/').some((segment) => segment.includes('+') && segment !== '+' && segment !== '+*'))
    refuse('may hold "+" only as a whole segment');
  if (path.split('/').some((segment) => segment === '.' || segment === '..'))
    refuse('must not hold "." or ".." as a segment');
  if (!path.isWellFormed() || Array.from(path).some((character) => character < ' ' || character === '\u007f'))
    refuse('holds a character that no request path can hold');
}

function ruleOf(text: string, path: string, body: Block): Rule {
  let granted: readonly Granted[] | undefined;
  for (const entry of body.entries) {
    if (restrictions.has(entry.key))
      throw refusalAt(text, entry.at, `${entry.key} is not supported yet, so this policy can't be enforced as written`);
    if (entry.key !== 'capabilities' || entry.labels.length > 0)
      throw refusalAt(text, entry.at, `unknown key ${quoted(entry.key)} (a path rule holds capabilities only)`);
    if (granted !== undefined) throw refusalAt(text, entry.at, 'capabilities is given twice');
    granted = capabilitiesOf(text, entry.value);
  }
  if (granted === undefined || granted.length === 0)
    throw refusalAt(text, body.at, `the path ${quoted(path)} has no capabilities; write ["deny"] to deny it`);
  const isDeny = granted.includes('deny');
  if (isDeny && granted.length > 1)
    throw refusalAt(text, body.at, `the path ${quoted(path)} has deny beside other capabilities`);
  return {
    pattern: patternOf(path),
    isDeny,
    capabilities: new Set(granted.filter((name) => name !== 'deny')),
  };
}

type Granted = Capability | 'deny';

function capabilitiesOf(text: string, value: Value): readonly Granted[] {
  if (value.kind !== 'list') throw refusalAt(text, value.at, 'capabilities must be a list of texts');
  return value.items.map((item) => {
    if (item.kind !== 'text') throw refusalAt(text, item.at, 'a capability must be a text in double quotes');
    const known = item.text === 'deny' ? 'deny' : capabilityByName.get(item.text);
    if (known === undefined)
      throw refusalAt(text, item.at, `unknown capability ${quoted(item.text)} (${capabilityNames.join(', ')}, deny)`);
    return known;
  });
}
