import { describe, expect, test } from 'vitest';
import { type Der, encode, oid, printableString, sequence, setOfOne, utf8String, wrap } from './der.ts';
import { commonNameOf, nameText } from './name-text.ts';

const attribute = (type: string, text: string): Der => sequence(oid(type), utf8String(text));
const nameOf = (...sets: readonly Der[]): Buffer => encode(sequence(...sets));
const commonName = '2.5.4.3';
const organization = '2.5.4.10';

describe('a distinguished name as text', () => {
  test.each<[string, Buffer, string]>([
    ['no attribute', nameOf(), ''],
    ['one', nameOf(setOfOne(attribute(commonName, 'Root'))), 'CN=Root'],
    [
      'several, the last first',
      nameOf(
        setOfOne(sequence(oid('2.5.4.6'), printableString('DE'))),
        setOfOne(attribute(organization, 'Example')),
        setOfOne(attribute(commonName, 'Root')),
      ),
      'CN=Root,O=Example,C=DE',
    ],
    [
      'two in one set',
      nameOf(wrap(0x31, [encode(attribute(commonName, 'a')), encode(attribute(organization, 'b'))])),
      'CN=a+O=b',
    ],
    ['what separates', nameOf(setOfOne(attribute(commonName, 'a,b+c"d\\e<f>;'))), 'CN=a\\,b\\+c\\"d\\\\e\\<f\\>\\;'],
    ['spaces at the ends', nameOf(setOfOne(attribute(commonName, ' a '))), 'CN=\\ a\\ '],
    ['a number sign in front', nameOf(setOfOne(attribute(commonName, '#a#'))), 'CN=\\#a#'],
    ['an attribute without a short name', nameOf(setOfOne(attribute('1.2.3', 'x'))), '1.2.3=#0c0178'],
    [
      'a value that is no text',
      nameOf(setOfOne(sequence(oid(commonName), wrap(0x1e, [Buffer.from([0, 65])])))),
      '2.5.4.3=#1e020041',
    ],
  ])('%s', (_what, der, text) => {
    expect(nameText(der, 'name')).toBe(text);
  });

  test('the last common name counts, and none is an empty text', () => {
    const two = nameOf(setOfOne(attribute(commonName, 'first')), setOfOne(attribute(commonName, 'last')));
    expect(commonNameOf(two, 'name')).toBe('last');
    expect(commonNameOf(nameOf(setOfOne(attribute(organization, 'x'))), 'name')).toBe('');
  });

  test('what is no name is refused', () => {
    expect(() => nameText(Buffer.from('3003020101', 'hex'), 'name')).toThrow('malformed DER');
  });
});
