import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser';
import { S3Error } from './s3-error.ts';

/** Content of an element to write: text, elements by name, or the same element several times. */
export type XmlContent = string | number | boolean | undefined | XmlRecord | readonly XmlRecord[];

/** Elements by name, in their order; those without content are left out. */
export interface XmlRecord {
  readonly [name: string]: XmlContent;
}

/** An element that was read, without namespace prefixes and attributes. */
export interface XmlElement {
  readonly name: string;
  readonly children: readonly XmlElement[];
  readonly text: string;
}

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** Maximum depth of elements; S3's own documents have four. */
const MAX_DEPTH = 16;

/** A section whose text is taken as it is. */
const SECTION = /<!\[CDATA\[.*?\]\]>/gs;

/** A document type, or a reference to an entity that only one could declare; the parser would keep it as text. */
const UNSUPPORTED = /<!DOCTYPE|&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[\da-f]+);)/i;

const TEXT = '#text';
const ATTRIBUTES = ':@';
const ATTRIBUTE_PREFIX = '@';

const builder = new XMLBuilder({ ignoreAttributes: false, attributeNamePrefix: ATTRIBUTE_PREFIX });

/** Keeps the text as it is: keys of objects may look like numbers, or start and end with spaces. */
const parser = new XMLParser({
  preserveOrder: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: false,
  // Numeric references are decoded with these only; references to HTML's names never get here.
  htmlEntities: true,
  maxNestedTags: MAX_DEPTH,
});

/**
 * Writes a document of S3.
 *
 * @param namespaced - Whether it names S3's namespace; errors do not.
 */
export function renderXml(root: string, content: XmlRecord, namespaced = true): string {
  const attributes = namespaced ? { [`${ATTRIBUTE_PREFIX}xmlns`]: NAMESPACE } : {};
  return `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build({ [root]: { ...attributes, ...content } })}`;
}

/**
 * Reads a document that a client sent.
 *
 * @throws S3Error `MalformedXML` if it is not well-formed, has another root or a document type.
 */
export function parseXml(text: string, root: string): XmlElement {
  if (UNSUPPORTED.test(text.replace(SECTION, '')) || XMLValidator.validate(text) !== true) {
    throw new S3Error('MalformedXML');
  }
  const [element, ...others] = childrenOf(parse(text));
  if (element?.name !== root || others.length > 0) throw new S3Error('MalformedXML');
  return element;
}

/** Returns the text of the first child with a name, without white space around it. */
export function childText(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text.trim();
}

/** A parsed element: its name with its content, or its text. */
type ParsedNode = Readonly<Record<string, readonly ParsedNode[] | string>>;

function parse(text: string): readonly ParsedNode[] {
  try {
    return parser.parse(text);
  } catch (cause) {
    throw new S3Error('MalformedXML', { Message: `the XML cannot be read: ${String(cause)}` });
  }
}

function childrenOf(nodes: readonly ParsedNode[]): XmlElement[] {
  return nodes.flatMap((node) =>
    Object.entries(node).flatMap(([name, content]) => {
      if (name === TEXT || name === ATTRIBUTES || typeof content === 'string') return [];
      return [{ name, children: childrenOf(content), text: textOf(content) }];
    }),
  );
}

function textOf(nodes: readonly ParsedNode[]): string {
  return nodes.map((node) => node[TEXT] ?? '').join('');
}
