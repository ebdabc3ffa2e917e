// START HERE: one row for each route of versioned secrets (Vault's kv, version 2).
import { type Call, defineEngine, type Engine, type Route, routesOf } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { booleanField, integerField, listField, objectField, textField } from '@lockstep/contract/fields';
import { apply } from './apply.ts';
import { type KvFact, kvFacts } from './facts.ts';
import { versionsKeptMax } from './limits.ts';
import { listSecrets } from './list-secrets.ts';
import { readKvConfig, readMetadata } from './records.ts';
import { metadataReply } from './replies.ts';
import { patchSecret, readSecret, requirePath, requireVersions, writeSecret } from './secrets.ts';

const route = routesOf<KvFact>();
const path = textField({ description: 'Path of the secret', required: true });
const versions = listField({ description: 'Numbers of versions', default: [] });
const data = objectField({ description: 'What the secret holds', required: true });
const options = objectField({
  description: 'cas: write only if the current version is this one (0: only if there is none)',
  default: {},
});
const maxVersions = integerField({ description: 'Versions kept; 0 is the default', max: versionsKeptMax });
const isCasRequired = booleanField({ description: 'Every write must say which version it replaces' });
const deleteAfter = textField({
  description: 'Must be 0s: versions are not deleted by age',
  default: '0s',
  oneOf: ['0s', '0', ''],
});

const exists = (call: Call, fields: { readonly path: string }): boolean =>
  readMetadata(call.state, fields.path) !== undefined;

type VersionFact = 'versionsDeleted' | 'versionsUndeleted' | 'versionsDestroyed';
const versionRoute = (name: string, type: VersionFact, summary: string): Route<KvFact> =>
  route({
    operation: 'write',
    path: `${name}/:path*`,
    summary,
    fields: { path, versions },
    handle: (_call, fields) => ({
      facts: [{ type, path: requirePath(fields.path), versions: requireVersions(fields.versions) }],
      reply: {},
    }),
  });

const routes: readonly Route<KvFact>[] = [
  route({
    operation: 'read',
    path: 'data/:path*',
    summary: 'Read a version of a secret',
    fields: { path, version: integerField({ description: 'Which version; 0 is the current one', default: 0 }) },
    handle: (call, fields) => ({ reply: { data: { ...readSecret(call, fields.path, fields.version) } } }),
  }),
  route({
    operation: 'write',
    path: 'data/:path*',
    summary: 'Write the next version of a secret',
    fields: { path, data, options },
    exists,
    handle: writeSecret,
  }),
  route({
    operation: 'patch',
    path: 'data/:path*',
    summary: 'Change a secret by a merge patch',
    fields: { path, data, options },
    handle: patchSecret,
  }),
  route({
    operation: 'delete',
    path: 'data/:path*',
    summary: 'Delete the current version; it can be undeleted',
    fields: { path },
    handle: (call, fields) => {
      const metadata = readMetadata(call.state, requirePath(fields.path));
      if (metadata === undefined) return { reply: {} };
      return {
        facts: [{ type: 'versionsDeleted', path: fields.path, versions: [metadata.currentVersion] }],
        reply: {},
      };
    },
  }),
  versionRoute('delete', 'versionsDeleted', 'Delete versions; they can be undeleted'),
  versionRoute('undelete', 'versionsUndeleted', 'Bring deleted versions back'),
  versionRoute('destroy', 'versionsDestroyed', 'Remove versions for ever'),
  route({
    operation: 'read',
    path: 'metadata/:path*',
    summary: "Read a secret's versions and settings",
    fields: { path },
    handle: (call, fields) => {
      const metadata = readMetadata(call.state, requirePath(fields.path));
      if (metadata === undefined) throw new LockstepError('not-found', '');
      return { reply: { data: metadataReply(metadata) } };
    },
  }),
  route({
    operation: 'write',
    path: 'metadata/:path*',
    summary: "Change a secret's settings",
    fields: { path, max_versions: maxVersions, cas_required: isCasRequired, delete_version_after: deleteAfter },
    exists,
    handle: (_call, fields) => ({
      facts: [
        {
          type: 'metadataWritten',
          path: requirePath(fields.path),
          maxVersions: fields.max_versions,
          isCasRequired: fields.cas_required,
        },
      ],
      reply: {},
    }),
  }),
  route({
    operation: 'delete',
    path: 'metadata/:path*',
    summary: 'Remove a secret with all its versions, for ever',
    fields: { path },
    handle: (_call, fields) => ({ facts: [{ type: 'secretRemoved', path: requirePath(fields.path) }], reply: {} }),
  }),
  route({
    operation: 'list',
    path: 'metadata/:path*',
    summary: 'List secrets and folders',
    fields: { path: textField({ description: 'Folder', default: '' }) },
    handle: async (call, fields) => ({ reply: { data: { keys: await listSecrets(call, fields.path) } } }),
  }),
  route({
    operation: 'read',
    path: 'config',
    summary: "Read the mount's settings",
    fields: {},
    handle: (call) => {
      const config = readKvConfig(call.state);
      return {
        reply: {
          data: { max_versions: config.maxVersions, cas_required: config.isCasRequired, delete_version_after: '0s' },
        },
      };
    },
  }),
  route({
    operation: 'write',
    path: 'config',
    summary: "Change the mount's settings",
    fields: { max_versions: maxVersions, cas_required: isCasRequired, delete_version_after: deleteAfter },
    handle: (call, fields) => {
      const before = readKvConfig(call.state);
      return {
        facts: [
          {
            type: 'configWritten',
            maxVersions: fields.max_versions ?? before.maxVersions,
            isCasRequired: fields.cas_required ?? before.isCasRequired,
          },
        ],
        reply: {},
      };
    },
  }),
];

export const kv: Engine = defineEngine<KvFact>({
  kind: 'kv',
  description: 'versioned secrets',
  facts: kvFacts,
  routes,
  apply,
});
