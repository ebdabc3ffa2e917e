import { LockstepError } from '@lockstep/contract/errors';
import { pathBytesMax, segmentBytesMax, segmentsMax } from './limits.ts';

/**
 * The path of a request target after `/v1/`, decoded once (as Go's servers do: `%2F` is a slash) and checked. Undefined when the
 * target is not below `/v1/`. `target` is the raw one: a URL object would resolve dot segments before anyone saw them.
 */
export function pathOfTarget(target: string): string | undefined {
  if (!target.startsWith('/v1/')) return undefined;
  const query = target.indexOf('?');
  const raw = query < 0 ? target.slice(4) : target.slice(4, query);
  return checkedPath(raw.includes('%') ? decoded(raw) : raw);
}

function decoded(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch (cause) {
    throw new LockstepError('invalid-input', 'path has an invalid percent-encoding or is not UTF-8', { cause });
  }
}

/**
 * A decoded path without slashes at its ends or twice in a row. Refuses what could mean another path to somebody else: dot
 * segments however encoded, backslashes, control characters, text that is not in Unicode's normal form C; and what is too long.
 */
export function checkedPath(path: string): string {
  // oxlint-disable-next-line no-control-regex -- refusing them is the purpose.
  if (/[\u0000-\u001f\u007f-\u009f]/.test(path)) refuse('contains a control character');
  if (path.includes('\\')) refuse('contains a backslash');
  if (!path.isWellFormed() || path !== path.normalize('NFC')) refuse('must be Unicode in normal form C');
  if (Buffer.byteLength(path) > pathBytesMax) refuse(`is longer than ${pathBytesMax} bytes`);
  const segments = path.split('/').filter((segment) => segment !== '');
  if (segments.length > segmentsMax) refuse(`has more than ${segmentsMax} segments`);
  for (const segment of segments) {
    if (isDotSegment(segment)) refuse('contains relative segments');
    if (segment.length * 3 > segmentBytesMax && Buffer.byteLength(segment) > segmentBytesMax)
      refuse(`has a segment longer than ${segmentBytesMax} bytes`);
  }
  return segments.join('/');
}

/** `.` and `..`, also as somebody who decodes again, or cuts path parameters off (`..;x`), would see them. */
function isDotSegment(segment: string): boolean {
  const first = segment.charCodeAt(0);
  return (first === 0x2e || first === 0x25) && /^(?:\.|%(?:25)*2e){1,2}(?:;.*|%(?:25)*3b.*)?$/i.test(segment);
}

function refuse(rule: string): never {
  throw new LockstepError('invalid-input', `path ${rule}`);
}
