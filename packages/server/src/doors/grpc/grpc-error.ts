import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { type ErrorCode, errorTable } from '@lockstep/contract/errors';
import { bytes, embed, message, repeatedEmbed, text, uint } from '@lockstep/contract/wire';
import { statusMessageBytesMax } from '../limits.ts';
import type { ErrorReply } from '../reply-shape.ts';

// google/rpc/status.proto and google/rpc/error_details.proto, as far as we fill them.
const any = message({ type_url: text(1), value: bytes(2) });
const rpcStatus = message({ code: uint(1), message: text(2), details: repeatedEmbed(3, any) });
const metadataEntry = message({ key: text(1), value: text(2) });
const errorInfo = message({ reason: text(1), domain: text(2), metadata: repeatedEmbed(3, metadataEntry) });
const duration = message({ seconds: uint(1), nanos: uint(2) });
const retryInfo = message({ retry_delay: embed(1, duration) });
const fieldViolation = message({ field: text(1), description: text(2) });
const badRequest = message({ field_violations: repeatedEmbed(1, fieldViolation) });

/** The reason in ErrorInfo: the code in the form that google.rpc asks for. */
export const reasonOf = (code: ErrorCode): string => code.toUpperCase().replaceAll('-', '_');

/** An error as gRPC's clients see it: the status of the error table, and in the trailers what exactly happened. */
export function grpcError(answer: ErrorReply, requestId: string): Pick<StatusObject, 'code' | 'details' | 'metadata'> {
  const code = status[errorTable[answer.code].grpc];
  const details = cut(answer.messages.join('; ') || answer.code);
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', statusDetails(answer, { code, details, requestId }));
  return { code, details, metadata };
}

function statusDetails(
  answer: ErrorReply,
  { code, details, requestId }: { readonly code: number; readonly details: string; readonly requestId: string },
): Buffer {
  const info = errorInfo.encode({
    reason: reasonOf(answer.code),
    domain: 'lockstep',
    metadata: [{ key: 'request_id', value: requestId }],
  });
  const list = [packed('ErrorInfo', info)];
  const after = answer.retryAfterSeconds;
  if (after !== undefined) {
    const seconds = Math.floor(after);
    const delay = { seconds, nanos: Math.round((after - seconds) * 1e9) };
    list.push(packed('RetryInfo', retryInfo.encode({ retry_delay: delay })));
  }
  if (answer.field !== undefined) {
    const violation = { field: answer.field, description: details };
    list.push(packed('BadRequest', badRequest.encode({ field_violations: [violation] })));
  }
  return rpcStatus.encode({ code, message: details, details: list });
}

function packed(type: string, value: Buffer): { readonly type_url: string; readonly value: Buffer } {
  return { type_url: `type.googleapis.com/google.rpc.${type}`, value };
}

function cut(text: string): string {
  if (Buffer.byteLength(text) <= statusMessageBytesMax) return text;
  return `${Buffer.from(text)
    .subarray(0, statusMessageBytesMax)
    .toString('utf8')
    .replace(/\ufffd+$/, '')}…`;
}
