/** Layout of a policy mount: `acl/<name>` holds a policy's text, `count` how many there are. */
export const policyPrefix = 'acl/';
export const policyCountKey = 'count';

/** Where a policy lies. Whoever decides by a policy expects this key to be unchanged. */
export function policyKey(name: string): string {
  return `${policyPrefix}${name}`;
}
