import { type CallOptions, type Client as GrpcClient, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { caOf, parseAddress } from './addresses.ts';
import { type Attempt, Attempts, type Sending } from './attempts.ts';
import type { Client, ClientOptions, IssuedCertificate, JsonObject, Operation } from './client.ts';
import { codeOf, fieldOf } from './error-code.ts';
import { deadlineIn, isConnected, loadMethods, type Method, openChannel } from './grpc-channel.ts';

interface Message {
  readonly [field: string]: unknown;
}

const defaultPort = 8202;

/** A client over gRPC. Throws a TypeError for addresses that are none; connects when first used. */
export function openClient(options: ClientOptions): Client {
  const attempts = new Attempts(options);
  const methods = loadMethods();
  const ca = caOf(options);
  const nodes = options.addresses.map((spelled) => {
    const address = parseAddress(spelled, defaultPort);
    return { spelled: address.spelled, channel: openChannel(address, ca) };
  });
  const send = async <Data>(
    method: Method,
    message: Message,
    { read, sending }: { readonly read: (reply: Message) => ReadReply<Data>; readonly sending: Sending },
  ): Promise<Attempt<Data>> => {
    const node = nodes[sending.address];
    if (node === undefined) throw new Error(`no address ${sending.address}`);
    const deadline = deadlineIn(sending.timeoutMs);
    if (!(await isConnected(node.channel, sending.timeoutMs)))
      return { kind: 'not-sent', message: `cannot connect to ${node.spelled}` };
    const got = await unary(node.channel, method, message, { metadata: metadataOf(sending), options: { deadline } });
    if ('fault' in got) return failed(got.fault, node.spelled);
    return { kind: 'applied', ...read(got.reply), address: node.spelled };
  };
  return {
    request: (operation, path, data, asked = {}) => {
      const message = { operation: operationNames[operation], path, data_json: jsonBytes(data) };
      return attempts.run(operation, asked, (sending) => send(methods.call, message, { read: callReply, sending }));
    },
    issueCertificate: (request, asked = {}) =>
      attempts.run('write', asked, (sending) =>
        send(methods.issueCertificate, { ...request }, { read: certificateReply, sending }),
      ),
    close: () => {
      for (const { channel } of nodes) channel.close();
    },
  };
}

const operationNames: { readonly [O in Operation]: string } = {
  read: 'OPERATION_READ',
  write: 'OPERATION_WRITE',
  patch: 'OPERATION_PATCH',
  delete: 'OPERATION_DELETE',
  list: 'OPERATION_LIST',
};

function jsonBytes(data: JsonObject | undefined): Buffer {
  return data === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(data));
}

function metadataOf(sending: Sending): Metadata {
  const metadata = new Metadata();
  if (sending.token !== undefined) metadata.set('authorization', `Bearer ${sending.token}`);
  if (sending.idempotencyKey !== undefined) metadata.set('idempotency-key', sending.idempotencyKey);
  return metadata;
}

type Got = { readonly reply: Message } | { readonly fault: ServiceError };

function unary(
  channel: GrpcClient,
  method: Method,
  message: Message,
  { metadata, options }: { readonly metadata: Metadata; readonly options: CallOptions },
): Promise<Got> {
  return new Promise((resolve) => {
    channel.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      message,
      metadata,
      options,
      (fault, reply) => resolve(fault === null ? { reply: { ...reply } } : { fault }),
    );
  });
}

/** Only the server's own word makes a failure certain: its code in the details. What the network or grpc-js says does not. */
function failed(fault: ServiceError, address: string): Attempt<never> {
  const [details] = fault.metadata.get('grpc-status-details-bin');
  const code = Buffer.isBuffer(details) ? codeOf(details) : undefined;
  if (code === undefined) return withoutCode(fault, address);
  if (code === 'outcome-unknown' || code === 'internal') return { kind: 'unknown', code, message: fault.details };
  const field = Buffer.isBuffer(details) ? fieldOf(details) : undefined;
  return { kind: 'refused', code, message: fault.details, ...(field === undefined ? {} : { field }) };
}

function withoutCode(fault: ServiceError, address: string): Attempt<never> {
  switch (fault.code) {
    // grpc-js on the other side gives these before any handler has run.
    case status.UNIMPLEMENTED:
      return { kind: 'refused', code: 'unsupported-operation', message: fault.details };
    case status.RESOURCE_EXHAUSTED:
      return { kind: 'refused', code: 'too-large', message: fault.details };
    default:
      return { kind: 'unknown', message: `no answer from ${address}: ${fault.details}` };
  }
}

interface ReadReply<Data> {
  readonly data: Data;
  readonly auth?: JsonObject;
  readonly raw?: Uint8Array;
  readonly warnings?: readonly string[];
}

/** Reads CallResponse. */
function callReply(reply: Message): ReadReply<JsonObject> {
  const data = bytesOf(reply, 'data_json');
  const auth = bytesOf(reply, 'auth_json');
  const raw = bytesOf(reply, 'raw');
  return {
    data: data.length === 0 ? {} : JSON.parse(data.toString('utf8')),
    ...(auth.length === 0 ? {} : { auth: JSON.parse(auth.toString('utf8')) }),
    ...(raw.length === 0 ? {} : { raw }),
    ...warningsOf(reply),
  };
}

/** Reads IssueCertificateResponse. */
function certificateReply(reply: Message): ReadReply<IssuedCertificate> {
  return {
    data: {
      certificate: textOf(reply, 'certificate'),
      issuing_ca: textOf(reply, 'issuing_ca'),
      ca_chain: textsOf(reply, 'ca_chain'),
      private_key: textOf(reply, 'private_key'),
      private_key_type: textOf(reply, 'private_key_type'),
      serial_number: textOf(reply, 'serial_number'),
      expiration: Number(reply['expiration']),
    },
    ...warningsOf(reply),
  };
}

// Fields are all there, with these types: the protos are loaded with defaults.
const bytesOf = (reply: Message, field: string): Buffer => reply[field] as Buffer;
const textOf = (reply: Message, field: string): string => reply[field] as string;
const textsOf = (reply: Message, field: string): readonly string[] => reply[field] as readonly string[];

function warningsOf(reply: Message): { readonly warnings?: readonly string[] } {
  const warnings = textsOf(reply, 'warnings');
  return warnings.length === 0 ? {} : { warnings };
}
