import type { WholeReply } from '../door.ts';
import { authShape } from '../reply-shape.ts';
import type { Message } from './grpc-request.ts';

type Answer = Exclude<WholeReply, { kind: 'error' }>;

/** The response of a typed call: the reply's members by their names. Members that the response has no field for stay behind. */
export function typedResponse(
  dataField: string | undefined,
  jsonFields: readonly string[],
): (answer: Answer) => Message {
  return (answer) => {
    if (answer.kind === 'flat') return answer.body;
    const { data, auth, warnings, raw } = answer.reply;
    const members: { [field: string]: unknown } = dataField === undefined ? { ...data } : { [dataField]: data };
    for (const field of jsonFields) {
      const value = members[field];
      delete members[field];
      if (value !== undefined && value !== null) members[`${field}_json`] = json(value);
    }
    if (auth !== undefined) members['auth'] = authShape(auth);
    if (warnings !== undefined) members['warnings'] = warnings;
    if (raw !== undefined) {
      members['raw'] = raw.body;
      members['content_type'] = raw.contentType;
    }
    return members;
  };
}

/** The response of a generic call. */
export function callResponse(answer: Answer, requestId: string): Message {
  if (answer.kind === 'flat') return { request_id: requestId, status: answer.status, data_json: json(answer.body) };
  const { data, auth, warnings, raw } = answer.reply;
  return {
    request_id: answer.requestId,
    ...(data === undefined ? {} : { data_json: json(data) }),
    ...(auth === undefined ? {} : { auth_json: json(authShape(auth)) }),
    ...(warnings === undefined ? {} : { warnings }),
    ...(raw === undefined ? {} : { raw: raw.body, content_type: raw.contentType }),
    lease_id: answer.leaseId ?? '',
    renewable: answer.isRenewable ?? false,
    lease_duration: answer.leaseDurationSeconds ?? 0,
  };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
