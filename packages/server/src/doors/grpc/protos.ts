import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { type AnyDefinition, loadSync, type PackageDefinition, type ServiceDefinition } from '@grpc/proto-loader';

const files = [
  'lockstep/sys/v1/sys.proto',
  'lockstep/sys/v1/cluster.proto',
  'lockstep/kv/v1/kv.proto',
  'lockstep/pki/v1/pki.proto',
  'lockstep/auth/v1/token.proto',
  'grpc/health/v1/health.proto',
];

/** The public protos. Names stay as they are written; what was not sent is absent, so that the route's own default applies. */
export function loadProtos(): PackageDefinition {
  const root = dirname(createRequire(import.meta.url).resolve('@lockstep/protos/package.json'));
  return loadSync(files, { includeDirs: [root], keepCase: true, longs: Number, enums: String });
}

export function serviceOf(protos: PackageDefinition, name: string): ServiceDefinition {
  const found = protos[name];
  if (found === undefined || !isService(found)) throw new Error(`protos have no service ${name}`);
  return found;
}

function isService(definition: AnyDefinition): definition is ServiceDefinition {
  return !('format' in definition);
}

const ending = '_json';

/** The fields of a message that carry JSON text for the field without the ending `_json`, by that field's name. */
export function jsonFieldsOf(messageType: object): readonly string[] {
  if (!('field' in messageType) || !Array.isArray(messageType.field)) throw new Error('not a message type');
  return messageType.field
    .map((field: { readonly name: string }) => field.name)
    .filter((name) => name.endsWith(ending))
    .map((name) => name.slice(0, -ending.length));
}
