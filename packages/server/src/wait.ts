import type { DoorRequest } from './doors/door.ts';
import { requestDeadlineMs, requestDeadlineMsMax } from './limits.ts';

/** Until when a request may run, on the monotonic clock. */
export function deadlineOf(request: DoorRequest, nowMs: number): number {
  return nowMs + Math.min(request.deadlineMs ?? requestDeadlineMs, requestDeadlineMsMax);
}

/** Waits for a callback, but no longer than until `deadline`; a later answer is dropped. */
export function waitUntil<T>(
  deadline: number,
  start: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
  late: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => late(resolve, reject), Math.max(0, deadline - performance.now()));
    start(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
