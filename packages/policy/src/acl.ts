import type { Capability } from '@lockstep/contract/engine';
import { capabilityNames, type CompiledPolicy } from './compile.ts';
import { canMatchBelow, comparePatterns, type Rule } from './rule.ts';

/** What the holder of some policies may do. Paths are those of the API: `secret/data/web`, without a leading slash. */
export interface Acl {
  /**
   * Whether the capability is granted on the path: default is no. The most specific pattern of all policies decides alone; where several
   * policies have it, their capabilities add up and a deny wins. A deny also holds for other spellings of its path in upper or
   * lower case, and for a list of the same path with or without its trailing slash.
   */
  readonly allows: (path: string, capability: Capability) => boolean;
  /**
   * Whether any rule grants anything on a path that begins with `prefix`: whoever may touch something in a mount may know that it is there.
   * Says yes also where a more specific deny takes that back.
   */
  readonly grantsBelow: (prefix: string) => boolean;
  /** What clients are shown: `root` alone, `deny` alone, or the granted ones in alphabetical order. */
  readonly capabilities: (path: string) => readonly (Capability | 'deny' | 'root')[];
}

/** Costs nothing but a small object: all work was done when each policy was compiled. */
export function aclOf(policies: readonly CompiledPolicy[]): Acl {
  if (policies.some((policy) => policy.isRoot)) return rootAcl;
  const hasDeny = policies.some((policy) => policy.hasDeny);
  const isDenied = (path: string): boolean => {
    if (!hasDeny) return false;
    return hasDenyAmong(ruling(policies, path)) || hasDenyAmong(rulingFolded(policies, path.toLowerCase()));
  };
  return {
    allows: (path, capability) => {
      if (capability === 'list') return allowsList({ policies, path, isDenied });
      return grants(ruling(policies, path), capability) && !isDenied(path);
    },
    grantsBelow: (prefix) =>
      policies.some(({ rules }) => rules.some((rule) => !rule.isDeny && canMatchBelow(rule.pattern, prefix))),
    capabilities: (path) => {
      const rules = isDenied(path) ? [] : ruling(policies, path);
      const granted = capabilityNames.filter((name) => grants(rules, name)).sort();
      return granted.length === 0 ? ['deny'] : granted;
    },
  };
}

const rootAcl: Acl = { allows: () => true, grantsBelow: () => true, capabilities: () => ['root'] };

// A list's path ends in a slash; a rule for the exact path without it counts too, as in Vault, before any wildcard.
function allowsList(asked: {
  readonly policies: readonly CompiledPolicy[];
  readonly path: string;
  readonly isDenied: (path: string) => boolean;
}): boolean {
  const { policies, isDenied } = asked;
  const bare = asked.path.endsWith('/') ? asked.path.slice(0, -1) : asked.path;
  const folder = `${bare}/`;
  if (isDenied(bare) || isDenied(folder)) return false;
  const exact = exactRules(policies, folder);
  const rules = exact.length > 0 ? exact : exactRules(policies, bare);
  return grants(rules.length > 0 ? rules : ruling(policies, folder), 'list');
}

/** The rules, one of a policy at most, that have the most specific pattern of all that match. */
function ruling(policies: readonly CompiledPolicy[], path: string): readonly Rule[] {
  const exact = exactRules(policies, path);
  return exact.length > 0 ? exact : mostSpecific(policies.map(({ matcher }) => matcher.wild(path)));
}

function rulingFolded(policies: readonly CompiledPolicy[], path: string): readonly Rule[] {
  return mostSpecific(policies.map(({ folded }) => folded.exact(path) ?? folded.wild(path)));
}

function exactRules(policies: readonly CompiledPolicy[], path: string): readonly Rule[] {
  return policies.map(({ matcher }) => matcher.exact(path)).filter((rule) => rule !== undefined);
}

function mostSpecific(candidates: readonly (Rule | undefined)[]): readonly Rule[] {
  let best: Rule[] = [];
  for (const rule of candidates) {
    if (rule === undefined) continue;
    const [first] = best;
    const order = first === undefined ? 1 : comparePatterns(rule.pattern, first.pattern);
    if (order > 0) best = [rule];
    else if (order === 0) best.push(rule);
  }
  return best;
}

function hasDenyAmong(rules: readonly Rule[]): boolean {
  return rules.some((rule) => rule.isDeny);
}

// A deny has no capabilities of its own, but beside it stand other policies' rules for the same pattern.
function grants(rules: readonly Rule[], capability: Capability): boolean {
  return !hasDenyAmong(rules) && rules.some((rule) => rule.capabilities.has(capability));
}
