/** RFC 3339 in UTC, to the second: a function of its argument alone, so apply may use it. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
