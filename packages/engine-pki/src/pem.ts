// PEM (RFC 7468): strict where it is read.
import { fieldError } from '@lockstep/contract/errors';

/** Without a newline at the end, as Vault's replies are. */
export function pem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.length).toString('base64');
  let text = `-----BEGIN ${label}-----\n`;
  for (let at = 0; at < base64.length; at += 64) text += `${base64.slice(at, at + 64)}\n`;
  return `${text}-----END ${label}-----`;
}

export interface PemRules {
  readonly field: string;
  readonly labels: readonly string[];
  readonly bytesMax: number;
}

/** The DER in the one block that `text` holds. Refuses another label, anything around the block, and what is not base64. */
export function derFromPem(text: string, { field, labels, bytesMax }: PemRules): Buffer {
  const refuse = (rule: string): never => {
    throw fieldError(field, rule);
  };
  const trimmed = text.trim();
  if (trimmed === '') return refuse('contains no data');
  const label = labels.find((name) => trimmed.startsWith(`-----BEGIN ${name}-----`));
  if (label === undefined) return refuse(`must be a PEM block of the kind ${labels.join(' or ')}`);
  const end = `-----END ${label}-----`;
  if (!trimmed.endsWith(end)) return refuse('must be one PEM block, with nothing after it');
  const body = trimmed.slice(`-----BEGIN ${label}-----`.length, -end.length).replaceAll(/[\r\n\t ]/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(body) || body.length % 4 !== 0)
    return refuse('holds a PEM block that is not base64');
  const der = Buffer.from(body, 'base64');
  if (der.length > bytesMax) return refuse(`must be at most ${bytesMax} bytes of DER`);
  return der;
}
