import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { filesWith, root } from './source-tree.ts';

/**
 * What the protos promise to programs and to recorded logs: each message's, enum's and service's members, by full name. A member
 * is one line of text, so that a difference reads well: `bytes certificate = 4`.
 */
export type ProtoLock = { readonly [name: string]: readonly string[] };

export const lockFile: string = join(root, 'protos', 'lockstep.lock.json');

/** The .proto files, by path from `protos/`. */
export function protoFiles(): readonly string[] {
  return filesWith(['.proto'], ['protos']).map((path) => path.slice('protos/'.length));
}

/** Parses files and all that they import; names of fields stay as they are written. Throws with the file's name and line. */
export function loadProtos(files: readonly string[]): protobuf.Root {
  const loaded = new protobuf.Root();
  loaded.resolvePath = (_origin, target) =>
    target.startsWith('google/protobuf/') ? target : join(root, 'protos', target);
  loaded.loadSync([...files], { keepCase: true, alternateCommentMode: true });
  loaded.resolveAll();
  return loaded;
}

export function describeProtos(loaded: protobuf.Root): ProtoLock {
  const described: { [name: string]: readonly string[] } = {};
  const visit = (node: protobuf.ReflectionObject): void => {
    const members = membersOf(node);
    const name = node.fullName.replace(/^\./, '');
    if (members !== undefined && name.startsWith('lockstep.')) described[name] = members;
    if (node instanceof protobuf.Namespace) node.nestedArray.forEach(visit);
  };
  visit(loaded);
  return Object.fromEntries(Object.entries(described).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function membersOf(node: protobuf.ReflectionObject): readonly string[] | undefined {
  if (node instanceof protobuf.Type) return node.fieldsArray.toSorted((a, b) => a.id - b.id).map(fieldLine);
  if (node instanceof protobuf.Enum) {
    const values = Object.entries(node.values).sort(([, a], [, b]) => a - b);
    return values.map(([name, number]) => `${name} = ${number}`);
  }
  return node instanceof protobuf.Service ? node.methodsArray.map(methodLine).sort() : undefined;
}

function fieldLine(field: protobuf.Field): string {
  const type = field.resolvedType?.fullName.replace(/^\./, '') ?? field.type;
  const oneof = field.partOf === null || field.partOf.isProto3Optional ? '' : `oneof ${field.partOf.name}: `;
  const label = field.repeated ? 'repeated ' : field.options?.['proto3_optional'] === true ? 'optional ' : '';
  const whole = field instanceof protobuf.MapField ? `map<${field.keyType}, ${type}>` : type;
  return `${oneof}${label}${whole} ${field.name} = ${field.id}`;
}

function methodLine(method: protobuf.Method): string {
  const side = (type: protobuf.Type | null, streams: boolean | undefined): string =>
    `${streams === true ? 'stream ' : ''}${type?.fullName.replace(/^\./, '') ?? '?'}`;
  const request = side(method.resolvedRequestType, method.requestStream);
  return `${method.name}(${request}) returns (${side(method.resolvedResponseType, method.responseStream)})`;
}

/** What the lock promises and the protos no longer have. Renaming a field breaks the JSON form, so it counts. */
export function brokenPromises(lock: ProtoLock, now: ProtoLock): readonly string[] {
  return Object.entries(lock).flatMap(([name, members]) => {
    const kept = now[name];
    if (kept === undefined) return [`${name} is gone`];
    return members.filter((member) => !kept.includes(member)).map((member) => `${name} had: ${member}`);
  });
}

export function readLock(): ProtoLock {
  return JSON.parse(readFileSync(lockFile, 'utf8'));
}

export function writeLock(lock: ProtoLock): void {
  writeFileSync(lockFile, `${JSON.stringify(lock, undefined, 2)}\n`);
}
