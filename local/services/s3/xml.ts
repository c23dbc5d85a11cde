import { S3Error } from './s3-error.ts';

/** Content of an element that is written: text, elements by name, or the same element several times. */
export type XmlContent = string | number | boolean | undefined | XmlRecord | readonly XmlRecord[];

/** Elements by name, in their order; those without content are left out. */
export interface XmlRecord {
  readonly [name: string]: XmlContent;
}

/** An element that was read; a namespace's prefix and attributes are dropped. */
export interface XmlElement {
  readonly name: string;
  readonly children: XmlElement[];
  text: string;
}

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** A tag, a declaration, a comment, or text; document types and sections are not read. */
const TOKEN = /<(\/?)(?:[\w.-]+:)?([\w.-]+)(?:\s[^<>]*?)?(\/?)>|<\?[^>]*\?>|<!--[\s\S]*?-->|([^<]+)/y;

/** Most elements inside each other; S3's own documents have four. */
const MAX_DEPTH = 16;

/**
 * Writes a document of S3.
 *
 * @param namespaced - Whether it names S3's namespace; errors do not.
 */
export function renderXml(root: string, content: XmlRecord, namespaced = true): string {
  const opening = namespaced ? `${root} xmlns="${NAMESPACE}"` : root;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${opening}>${renderContent(content)}</${root}>`;
}

/**
 * Reads a document that a client sent.
 *
 * @throws S3Error `MalformedXML` when it is none, or has another root.
 */
export function parseXml(text: string, root: string): XmlElement {
  const document: XmlElement = { name: '', children: [], text: '' };
  const open = [document];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const token = TOKEN.exec(text);
    if (token === null) throw new S3Error('MalformedXML');
    readToken(token, open);
  }
  const [element, ...others] = document.children;
  if (open.length !== 1 || element?.name !== root || others.length > 0) throw new S3Error('MalformedXML');
  return element;
}

/** Text of the first child with a name, without white space around it. */
export function childText(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text.trim();
}

function readToken([, closing, name, selfClosing, text]: RegExpExecArray, open: XmlElement[]): void {
  const current = open.at(-1);
  if (current === undefined || open.length > MAX_DEPTH) throw new S3Error('MalformedXML');
  if (text !== undefined) current.text += decodeEntities(text);
  if (name === undefined) return;
  if (closing === '/') {
    if (current.name !== name || open.length === 1) throw new S3Error('MalformedXML');
    open.pop();
    return;
  }
  const element: XmlElement = { name, children: [], text: '' };
  current.children.push(element);
  if (selfClosing !== '/') open.push(element);
}

function renderContent(content: XmlContent): string {
  if (content === undefined) return '';
  if (typeof content !== 'object') return String(content).replace(/[&<>"']/g, (char) => ESCAPES[char] ?? char);
  return Object.entries(content)
    .flatMap(([name, value]) => {
      if (value === undefined) return [];
      const values = Array.isArray(value) ? value : [value];
      return values.map((one: XmlContent) => `<${name}>${renderContent(one)}</${name}>`);
    })
    .join('');
}

function decodeEntities(text: string): string {
  return text.replace(/&(#x[0-9a-f]+|#\d+|\w+);/gi, (_, entity: string) => {
    if (!entity.startsWith('#')) return ENTITIES[entity] ?? malformed();
    const code = /^#x/i.test(entity) ? Number.parseInt(entity.slice(2), 16) : Number(entity.slice(1));
    return code > 0x10ffff ? malformed() : String.fromCodePoint(code);
  });
}

function malformed(): never {
  throw new S3Error('MalformedXML');
}
