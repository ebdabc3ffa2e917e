// START HERE: one row for each route of versioned secrets (Vault's kv, version 2).
import { type Call, type Decision, defineEngine, type Engine, type Route, routesOf } from '@lockstep/contract/engine';
import { LockstepError } from '@lockstep/contract/errors';
import { booleanField, integerField, objectField, textField } from '@lockstep/contract/fields';
import { apply } from './apply.ts';
import { changeVersions, deleteNewest, versionsField } from './change-versions.ts';
import { type KvFact, kvFacts } from './facts.ts';
import { listedMax, pathLengthMax, secretDepthMax } from './limits.ts';
import { listSecrets } from './list-secrets.ts';
import { readSecret, readSubkeys } from './read-secret.ts';
import { readMetadata } from './records.ts';
import { patchSecretMetadata, readSecretMetadata, removeSecret, writeSecretMetadata } from './secret-metadata.ts';
import { pathField } from './secret-path.ts';
import { readMountSettings, settingFields, writeMountSettings } from './settings.ts';
import { patchSecret, writeSecret } from './write-secret.ts';

const route = routesOf<KvFact>();
const version = integerField({ description: 'Which version; 0 is the newest', default: 0 });
const writeFields = {
  path: pathField,
  data: objectField({ description: 'What the secret holds' }),
  options: objectField({
    description: 'cas: write only if the newest version is this one (0: only if there is none)',
    default: {},
  }),
};
const metadataFields = {
  path: pathField,
  ...settingFields,
  custom_metadata: objectField({ description: 'Texts by name, for people and programs' }),
  metadata_cas: integerField({ description: 'Not supported yet' }),
  metadata_cas_required: booleanField({ description: 'Not supported yet' }),
};

function exists(call: Call, fields: { readonly path: string }): boolean {
  return readMetadata(call.state, fields.path) !== undefined;
}

const secrets: readonly Route<KvFact>[] = [
  route({
    operation: 'read',
    path: 'data/:path*',
    summary: 'Read a version of a secret',
    fields: { path: pathField, version },
    handle: readSecret,
  }),
  route({
    operation: 'write',
    path: 'data/:path*',
    summary: 'Write the next version of a secret',
    fields: writeFields,
    exists,
    handle: writeSecret,
  }),
  route({
    operation: 'patch',
    path: 'data/:path*',
    summary: 'Change a secret by a merge patch (RFC 7396)',
    fields: writeFields,
    handle: patchSecret,
  }),
  route({
    operation: 'delete',
    path: 'data/:path*',
    summary: 'Delete the newest version; it can be brought back',
    fields: { path: pathField },
    handle: deleteNewest,
  }),
  route({
    operation: 'read',
    path: 'subkeys/:path*',
    summary: 'Read the structure of a secret without its values',
    fields: {
      path: pathField,
      version,
      depth: integerField({ description: 'Levels to show; 0 is all', default: 0, max: secretDepthMax }),
    },
    handle: readSubkeys,
  }),
];

const versions: readonly Route<KvFact>[] = (
  [
    ['delete', 'versionsDeleted', 'Delete versions; they can be brought back'],
    ['undelete', 'versionsUndeleted', 'Bring deleted versions back'],
    ['destroy', 'versionsDestroyed', 'Remove what versions hold, for good'],
  ] as const
).map(([name, type, summary]) =>
  route({
    operation: 'write',
    path: `${name}/:path*`,
    summary,
    fields: { path: pathField, versions: versionsField },
    exists,
    handle: (call, fields) => changeVersions(call, fields, type),
  }),
);

const metadata: readonly Route<KvFact>[] = [
  route({
    operation: 'list',
    path: 'metadata/:path*',
    summary: 'List secrets and folders',
    fields: {
      path: pathField,
      after: textField({ description: 'Begin behind this name', default: '', max: pathLengthMax }),
      limit: integerField({ description: 'At most so many; 0 is all', default: 0, max: listedMax }),
    },
    handle: async (call, fields) => ({ reply: { data: { keys: await listSecrets(call, fields) } } }),
  }),
  route({
    operation: 'read',
    path: 'metadata/:path*',
    summary: "Read a secret's versions and settings",
    fields: { path: pathField },
    handle: readSecretMetadata,
  }),
  route({
    operation: 'write',
    path: 'metadata/:path*',
    summary: "Change a secret's settings",
    fields: metadataFields,
    exists,
    handle: writeSecretMetadata,
  }),
  route({
    operation: 'patch',
    path: 'metadata/:path*',
    summary: "Change a secret's settings by a merge patch (RFC 7396)",
    fields: metadataFields,
    handle: patchSecretMetadata,
  }),
  route({
    operation: 'delete',
    path: 'metadata/:path*',
    summary: 'Remove a secret for good, with all its versions',
    fields: { path: pathField },
    handle: removeSecret,
  }),
];

const settings: readonly Route<KvFact>[] = [
  route({
    operation: 'read',
    path: 'config',
    summary: "Read the mount's settings",
    fields: {},
    handle: readMountSettings,
  }),
  route({
    operation: 'write',
    path: 'config',
    summary: "Change the mount's settings",
    fields: settingFields,
    handle: writeMountSettings,
  }),
];

// Asking for secret/web instead of secret/data/web is the most frequent mistake with version 2; so the answer says what to do.
function wrongPath(): Decision<KvFact> {
  throw new LockstepError(
    'not-found',
    'invalid path for a versioned K/V secrets engine: it must begin with data/ for secrets or metadata/ for lists; the kv commands add that',
  );
}

const mistaken: readonly Route<KvFact>[] = (['read', 'write', 'delete', 'list'] as const).map((operation) =>
  route({
    operation,
    path: ':path*',
    summary: 'Not a path of this engine',
    fields: { path: pathField },
    handle: wrongPath,
  }),
);

export const kv: Engine = defineEngine<KvFact>({
  kind: 'kv',
  description: 'versioned secrets',
  facts: kvFacts,
  routes: [...secrets, ...versions, ...metadata, ...settings, ...mistaken],
  apply,
});
