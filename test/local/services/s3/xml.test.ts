import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { childText, parseXml, renderXml } from '../../../../local/services/s3/xml.ts';

const element = (name: string, text: string) => ({ name, children: [], text });

test('text is read as it stands: entities and CDATA sections are decoded, spaces and figures are kept', () => {
  const text = '<Delete><Key> 007&amp;&#x41;&#66; </Key><Key><![CDATA[a<b>&amp;]]>c</Key></Delete>';
  expect(parseXml(text, 'Delete').children).toEqual([element('Key', ' 007&AB '), element('Key', 'a<b>&amp;c')]);
});

test('declarations, comments, attributes and prefixes of namespaces leave no trace', () => {
  const text =
    '<?xml version="1.0"?>\n<!-- why --><s:Delete xmlns:s="urn:s" a="b"><s:Quiet>true</s:Quiet><Empty/></s:Delete>\n';
  const document = parseXml(text, 'Delete');
  expect(document).toEqual({ name: 'Delete', children: [element('Quiet', 'true'), element('Empty', '')], text: '' });
  expect(childText(document, 'Quiet')).toBe('true');
});

test.each([
  ['empty', ''],
  ['plain text', 'text'],
  ['not closed', '<Delete><Key></Delete>'],
  ['two documents', '<Delete/><Delete/>'],
  ['another root', '<Other/>'],
  ['an undeclared entity', '<Delete>&unknown;</Delete>'],
  ['a document type', '<!DOCTYPE d [<!ENTITY a "b">]><Delete>&a;</Delete>'],
  ['too deep', `${'<Delete>'.repeat(20)}${'</Delete>'.repeat(20)}`],
])('a document that is %s is MalformedXML', (_, text) => {
  expect(() => parseXml(text, 'Delete')).toThrow(expect.objectContaining({ code: 'MalformedXML' }));
});

test('a key of any printable characters survives writing and reading', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (key) => {
      expect(childText(parseXml(renderXml('Result', { Key: `(${key})` }), 'Result'), 'Key')).toBe(`(${key})`);
    }),
  );
});

test('a record is written with its namespace, lists as repeated elements, without members that are undefined', () => {
  const content = {
    Name: '<a>',
    Parts: { Part: [{ Number: 1 }, { Number: 2 }] },
    Marker: undefined,
    IsTruncated: false,
  };
  expect(renderXml('Result', content)).toBe(
    '<?xml version="1.0" encoding="UTF-8"?>\n<Result xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
      '<Name>&lt;a&gt;</Name><Parts><Part><Number>1</Number></Part><Part><Number>2</Number></Part></Parts>' +
      '<IsTruncated>false</IsTruncated></Result>',
  );
  expect(renderXml('Error', { Code: 'NoSuchKey' }, false)).toContain('<Error><Code>NoSuchKey</Code></Error>');
});
