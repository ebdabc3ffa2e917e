// Distinguished names as text (RFC 4514), in the form that Go and so Vault's replies have: the last attribute first.
import { oidTextOf } from './der.ts';
import { DerReader } from './der-reader.ts';
import * as oids from './oids.ts';

interface Attribute {
  /** In DER. */
  readonly type: Uint8Array;
  readonly tag: number;
  readonly content: Uint8Array;
  /** The value with its tag and length. */
  readonly whole: Uint8Array;
}

/** `CN=Root,O=Example`. An attribute without a short name, or of another kind than text, is written in hex. */
export function nameText(name: Uint8Array, what: string): string {
  const sets = attributesOf(name, what).map((set) => set.map(attributeText).join('+'));
  return sets.reverse().join(',');
}

/** The last common name, or an empty text. */
export function commonNameOf(name: Uint8Array, what: string): string {
  const found = attributesOf(name, what)
    .flat()
    .findLast(({ type }) => oids.commonName.equals(type));
  return found === undefined ? '' : (textOf(found) ?? '');
}

function attributesOf(name: Uint8Array, what: string): readonly (readonly Attribute[])[] {
  const reader = new DerReader(name, what).enter(0x30);
  const sets: Attribute[][] = [];
  while (!reader.isAtEnd) {
    const set = reader.enter(0x31);
    const attributes: Attribute[] = [];
    while (!set.isAtEnd) {
      const attribute = set.enter(0x30);
      attributes.push({ type: attribute.next(0x06).whole, ...attribute.any() });
    }
    sets.push(attributes);
  }
  return sets;
}

/** RFC 4514 §3, and the serial number, which Go writes by name too. By the last byte of 2.5.4.x. */
const shortNames: ReadonlyMap<number, string> = new Map([
  [3, 'CN'],
  [5, 'SERIALNUMBER'],
  [6, 'C'],
  [7, 'L'],
  [8, 'ST'],
  [9, 'STREET'],
  [10, 'O'],
  [11, 'OU'],
  [17, 'POSTALCODE'],
]);
/** The object identifier 2.5.4, as DER begins it. */
const x520 = Buffer.from([0x06, 0x03, 0x55, 0x04]);

function attributeText(attribute: Attribute): string {
  const { type, whole } = attribute;
  const shortName = x520.equals(type.subarray(0, -1)) ? shortNames.get(type.at(-1) ?? 0) : undefined;
  const text = textOf(attribute);
  if (shortName === undefined || text === undefined) return `${oidTextOf(type)}=#${Buffer.from(whole).toString('hex')}`;
  return `${shortName}=${escaped(text)}`;
}

/** UTF8String, PrintableString, IA5String. */
function textOf({ tag, content }: Attribute): string | undefined {
  return tag === 0x0c || tag === 0x13 || tag === 0x16 ? Buffer.from(content).toString('utf8') : undefined;
}

/** RFC 4514 §2.4. */
function escaped(text: string): string {
  return text.replace(/^[ #]|[,+"\\<>;]| $/g, '\\$&');
}
