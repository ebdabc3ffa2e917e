import { authenticate, type Token } from '@lockstep/auth/token/lookup';
import { type Call, defineEngine, type Engine, type Reply, routesOf } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { listField, textField } from '@lockstep/contract/fields';
import type { TimeMs } from '@lockstep/contract/ids';
import { Secret } from '@lockstep/contract/secret';
import type { Host } from './host.ts';
import { policyMount, tokenMount } from './mounts.ts';

const pathsField = listField({ description: 'Paths to tell the capabilities on', default: [] });
const pathField = listField({ description: 'Deprecated: use paths', default: [] });

/**
 * `sys/capabilities` and `-self`: what a token may do on paths. They read what the host reads for every request and record
 * nothing, so they are the host's own routes.
 */
export function capabilityRoutes(host: Host): Engine {
  const route = routesOf<never>();
  return defineEngine<never>({
    kind: 'capabilities',
    description: 'what a token may do',
    facts: { encode: () => Buffer.alloc(0), decode: neverRecorded },
    routes: [
      route({
        operation: 'write',
        path: 'capabilities-self',
        summary: 'What the calling token may do on the given paths',
        fields: { paths: pathsField, path: pathField },
        handle: (call, fields) => ({ reply: answer(host, callingToken(call), [...fields.paths, ...fields.path]) }),
      }),
      route({
        operation: 'write',
        path: 'capabilities',
        summary: 'What a given token may do on the given paths',
        fields: {
          paths: pathsField,
          path: pathField,
          token: textField({ description: 'The token to ask about', required: true }),
        },
        handle: (call, fields) => ({
          reply: answer(host, presentedToken(host, fields.token, call.now), [...fields.paths, ...fields.path]),
        }),
      }),
    ],
    apply: neverRecorded,
  });
}

function neverRecorded(): never {
  throw new Error('the capability routes record no facts');
}

function callingToken(call: Call): Pick<Token, 'policies'> {
  if (call.caller === undefined) throw new LockstepError('denied', 'missing client token');
  return { policies: call.caller.policies };
}

function presentedToken(host: Host, token: string, now: TimeMs): Pick<Token, 'policies'> {
  const found = authenticate(host.state(tokenMount), Secret.fromText(token), now);
  if (found === undefined) throw new LockstepError('invalid-input', 'invalid token');
  return found;
}

function answer(host: Host, token: Pick<Token, 'policies'>, paths: readonly string[]): Reply {
  const [first] = paths;
  if (first === undefined) throw new LockstepError('invalid-input', 'paths must be supplied');
  const acl = host.acls.of(host.state(policyMount), token.policies);
  const byPath = Object.fromEntries(paths.map((path) => [path, acl.capabilities(path)]));
  return { data: { ...byPath, capabilities: acl.capabilities(first) } };
}
