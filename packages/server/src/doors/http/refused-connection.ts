import type { Duplex } from 'node:stream';
import { methodsServed } from './http-request.ts';

/** Answers what never became a request (a parse error, a timeout, a broken handshake) in the same form as any error, and closes. */
export function refuseConnection(fault: Error, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const { status, reason, message, allow } = refusalFor(fault);
  const body = JSON.stringify({ errors: [message] });
  const head = [
    `HTTP/1.1 ${status} ${reason}`,
    'Content-Type: application/json',
    'Cache-Control: no-store',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    ...(allow ? [`Allow: ${methodsServed}`] : []),
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}

interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly message: string;
  readonly allow: boolean;
}

function refusalFor(fault: Error): Refusal {
  const code = 'code' in fault ? String(fault.code) : '';
  const refusal = (status: number, reason: string, message: string, allow = false): Refusal => ({
    status,
    reason,
    message,
    allow,
  });
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return refusal(431, 'Request Header Fields Too Large', 'request headers are too large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return refusal(408, 'Request Timeout', 'request was not complete in time');
    case 'HPE_INVALID_METHOD':
      // An unknown word where the method should be, rather than bytes that are not HTTP at all.
      if (hasRequestLine(fault)) return refusal(405, 'Method Not Allowed', 'unsupported operation', true);
      return refusal(400, 'Bad Request', 'malformed request');
    case 'HPE_INVALID_CONTENT_LENGTH':
    case 'HPE_UNEXPECTED_CONTENT_LENGTH':
      return refusal(400, 'Bad Request', 'conflicting message length');
    case 'HPE_INVALID_TRANSFER_ENCODING':
      return refusal(400, 'Bad Request', 'unsupported transfer-encoding, or one beside a content-length');
    default:
      return refusal(400, 'Bad Request', 'malformed request');
  }
}

function hasRequestLine(fault: Error): boolean {
  if (!('rawPacket' in fault) || !Buffer.isBuffer(fault.rawPacket)) return false;
  return /^[A-Z]{1,20} \S+ HTTP\/1\.[01]\r?\n/.test(fault.rawPacket.toString('latin1', 0, 9000));
}
