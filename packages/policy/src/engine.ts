// START HERE: one row for each route. Mounted at sys/, in the places that Vault's clients ask.
import { type Call, defineEngine, type Engine, type Route, routesOf } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { textField } from '@lockstep/contract/fields';
import { apply } from './apply.ts';
import { defaultPolicyName, defaultPolicyText, rootPolicyName } from './built-in.ts';
import { deletePolicy } from './delete-policy.ts';
import { type PolicyFact, policyFacts } from './facts.ts';
import { policyKey } from './keys.ts';
import { policyBytesMax } from './limits.ts';
import { listPolicies } from './list-policies.ts';
import { requirePolicyName } from './policy-name.ts';
import { writePolicy } from './write-policy.ts';

const name = textField({ description: 'Name of the policy', required: true });
const policyText = textField({ description: 'The rules, in HCL or JSON', default: '', max: policyBytesMax });
const route = routesOf<PolicyFact>();

/** The text of a policy; throws `not-found` with no message where there is none. `root` has no text. */
function textOf(call: Call, asked: string): string {
  const checked = requirePolicyName(asked);
  if (checked === rootPolicyName) return '';
  const stored = call.state.get(policyKey(checked));
  if (stored !== undefined) return Buffer.from(stored).toString('utf8');
  if (checked === defaultPolicyName) return defaultPolicyText;
  throw new LockstepError('not-found', '');
}

const routes: readonly Route<PolicyFact>[] = [
  route({
    operation: 'list',
    path: 'policies/acl',
    summary: 'List the policies',
    fields: {},
    handle: async (call) => ({ reply: { data: { keys: await listPolicies(call) } } }),
  }),
  route({
    operation: 'read',
    path: 'policies/acl/:name',
    summary: 'Read a policy',
    fields: { name },
    handle: (call, fields) => ({ reply: { data: { name: fields.name, policy: textOf(call, fields.name) } } }),
  }),
  route({
    operation: 'write',
    path: 'policies/acl/:name',
    summary: 'Create or replace a policy',
    fields: { name, policy: policyText },
    handle: (call, fields) => writePolicy(call, { name: fields.name, text: fields.policy }),
  }),
  route({
    operation: 'delete',
    path: 'policies/acl/:name',
    summary: 'Delete a policy',
    fields: { name },
    handle: deletePolicy,
  }),
  ...(['read', 'list'] as const).map((operation) =>
    route({
      operation,
      path: 'policy',
      summary: 'List the policies (older form)',
      fields: {},
      handle: async (call) => {
        const keys = await listPolicies(call);
        return { reply: { data: { keys, policies: keys } } };
      },
    }),
  ),
  route({
    operation: 'read',
    path: 'policy/:name',
    summary: 'Read a policy (older form)',
    fields: { name },
    handle: (call, fields) => ({ reply: { data: { name: fields.name, rules: textOf(call, fields.name) } } }),
  }),
  route({
    operation: 'write',
    path: 'policy/:name',
    summary: 'Create or replace a policy (older form)',
    fields: { name, policy: policyText, rules: policyText },
    handle: (call, fields) =>
      writePolicy(call, { name: fields.name, text: fields.policy === '' ? fields.rules : fields.policy }),
  }),
  route({
    operation: 'delete',
    path: 'policy/:name',
    summary: 'Delete a policy (older form)',
    fields: { name },
    handle: deletePolicy,
  }),
];

export const policyEngine: Engine = defineEngine<PolicyFact>({
  kind: 'policy',
  description: 'policies: who may do what',
  facts: policyFacts,
  routes,
  apply,
});
