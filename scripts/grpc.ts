// scripts/grpc: asks a node over gRPC and prints what it answers, for machines that have no gRPC client.
import type { JsonObject, Operation } from '@lockstep/client/client';
import { openClient } from '@lockstep/client/grpc-client';

const usage = `usage: scripts/grpc OPERATION PATH [JSON]

  OPERATION   read, list, write, patch or delete
  PATH        like secret/data/greeting
  JSON        an object: what is written, or the parameters of a read

  LOCKSTEP_ADDR or VAULT_ADDR      the node's gRPC address: host:port, or http://host:port without TLS
  LOCKSTEP_CACERT or VAULT_CACERT  the file with the certificate of the authority that signed the node's
  LOCKSTEP_TOKEN or VAULT_TOKEN    the token
`;

const operations: readonly Operation[] = ['read', 'list', 'write', 'patch', 'delete'];

function fail(message: string): never {
  process.stderr.write(`grpc: ${message}\n\n${usage}`);
  process.exit(1);
}

function setting(name: string): string | undefined {
  return process.env[`LOCKSTEP_${name}`] || process.env[`VAULT_${name}`] || undefined;
}

function objectIn(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail('JSON is not valid');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail('JSON must be an object');
  return { ...value };
}

const [wanted, path, json, ...rest] = process.argv.slice(2);
const operation = operations.find((known) => known === wanted);
const address = setting('ADDR');
if (operation === undefined) fail(wanted === undefined ? 'an operation is missing' : `there is no operation ${wanted}`);
if (path === undefined) fail('a path is missing');
if (rest.length > 0) fail(`unexpected argument ${rest[0]}`);
if (address === undefined) fail('LOCKSTEP_ADDR is not set');
const caFile = setting('CACERT');
const token = setting('TOKEN');
const client = openClient({
  addresses: [address],
  ...(caFile === undefined ? {} : { caFile }),
  ...(token === undefined ? {} : { token }),
});
const outcome = await client.request(operation, path, json === undefined ? undefined : objectIn(json));
client.close();
if (outcome.kind === 'applied') process.stdout.write(`${JSON.stringify(outcome.data, null, 2)}\n`);
else process.stderr.write(`grpc: ${outcome.kind === 'refused' ? outcome.code : 'unknown'}: ${outcome.message}\n`);
// As the command line has it: 2 for what a node refused.
process.exitCode = outcome.kind === 'applied' ? 0 : 2;
