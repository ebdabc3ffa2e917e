import { fieldError } from '@lockstep/contract/errors';
import { serialTextMax } from './limits.ts';

/** Lower-case hex of a serial as callers write it: with colons, hyphens or nothing between the bytes. */
export function parseSerial(field: string, text: string): string {
  const hex = text.replaceAll(/[:-]/g, '').toLowerCase();
  if (text.length > serialTextMax || !/^([0-9a-f]{2})+$/.test(hex))
    throw fieldError(field, 'must be hexadecimal bytes, such as 17:6f:03');
  return hex;
}
