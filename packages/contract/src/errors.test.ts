import { STATUS_CODES } from 'node:http';
import { describe, expect, it } from 'vitest';
import { assert, errorTable, fieldError, LockstepError } from './errors.ts';

interface Row {
  readonly grpc: string;
  readonly http: number;
  readonly exit: number;
  readonly refused: boolean;
}
const rows: readonly (readonly [string, Row])[] = Object.entries(errorTable);

/** google.rpc.Code, without OK: https://github.com/googleapis/googleapis, google/rpc/code.proto */
const grpcNames = [
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'UNAUTHENTICATED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
];

describe('the error table', () => {
  it.each(rows)('%s has statuses that exist', (code, row) => {
    expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    expect(grpcNames).toContain(row.grpc);
    expect(STATUS_CODES).toHaveProperty(String(row.http));
    expect(row.http).toBeGreaterThanOrEqual(400);
    expect([1, 2]).toContain(row.exit);
  });

  it('answers what clients retry on their own, HTTP 503 and gRPC UNAVAILABLE, only where nothing happened', () => {
    for (const [code, row] of rows) {
      if (row.http === 503 || row.grpc === 'UNAVAILABLE' || row.http === 429) expect(row.refused, code).toBe(true);
    }
  });

  it('says of an unknown outcome that it may have happened', () => {
    expect(errorTable['outcome-unknown']).toMatchObject({ grpc: 'UNKNOWN', http: 409, refused: false });
  });
});

describe('a LockstepError', () => {
  it('carries code, message, cause and a body for the reply', () => {
    const cause = new Error('socket closed');
    const error = new LockstepError('unavailable', 'postgres refused the login', { cause, replyBody: { data: null } });
    expect(error).toMatchObject({ code: 'unavailable', name: 'LockstepError', cause, replyBody: { data: null } });
    expect(String(error)).toBe('LockstepError: postgres refused the login');
  });

  it('of a field names it, in the message and beside it', () => {
    const error = fieldError('ttl', 'must not be negative');
    expect(error).toMatchObject({ code: 'invalid-input', message: 'ttl must not be negative', field: 'ttl' });
    expect(new LockstepError('denied', 'permission denied').field).toBeUndefined();
  });

  it('without a cause has no property of that name', () => {
    expect(new LockstepError('denied', 'permission denied')).not.toHaveProperty('cause');
  });
});

describe('assert', () => {
  it('throws no LockstepError, since a wrong program must not look like wrong input', () => {
    expect(() => assert(false, 'term went back')).toThrow(new Error('invariant broken: term went back'));
    expect(() => assert(false, 'x')).not.toThrow(LockstepError);
    expect(() => assert(true, 'x')).not.toThrow();
  });
});
