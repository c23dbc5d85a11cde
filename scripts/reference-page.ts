import { stringify } from 'yaml';

/** A JSON Schema, as far as the schemas of files use it. */
export interface JsonSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly propertyNames?: JsonSchema;
  readonly items?: JsonSchema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly patternErrorMessage?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly examples?: readonly unknown[];
}

/** A key of a file. */
export interface Key {
  /** Path from the root of the file, as `compute.instances.min`. Names that people choose are in angle brackets. */
  readonly path: string;
  readonly schema: JsonSchema;
  readonly isRequired: boolean;
}

/** Keys of one object of a file. */
interface Section {
  /** Empty for the root. */
  readonly path: string;
  /** The condition under which the keys apply, as `target: lambda`. */
  readonly condition?: string;
  readonly description: string;
  readonly keys: readonly Key[];
}

/** Lists every key of a file, those inside sections included. A key of several variants comes once for each. */
export function keysOf(schema: JsonSchema): readonly Key[] {
  return sectionsOf(schema, '').flatMap(({ keys }) => keys);
}

/** Returns whether the value of a key is a section, whose own keys have the examples. */
export function isSection(schema: JsonSchema): boolean {
  return schema.properties !== undefined || schema.oneOf !== undefined || schema.items?.properties !== undefined;
}

/**
 * Renders the reference page of a file.
 *
 * @param introduction - Markdown that comes before the keys.
 */
export function renderReference(title: string, introduction: string, schema: JsonSchema): string {
  const blocks = sectionsOf(schema, '').flatMap((section) => [
    headingOf(section),
    section.description,
    tableOf(section),
  ]);
  const note = '<!-- Generated from the schemas in core/ by scripts/generate-schemas.ts. Do not edit. -->';
  return `${[note, `# ${title}`, introduction.trim(), ...blocks.filter((block) => block !== '')].join('\n\n')}\n`;
}

function sectionsOf(schema: JsonSchema, path: string): readonly Section[] {
  const { description = '' } = schema;
  if (schema.oneOf !== undefined) return variantsOf(schema.oneOf, path, description);
  if (schema.properties !== undefined) {
    const keys = keysIn(schema, path);
    return [{ path, description, keys }, ...keys.flatMap((key) => sectionsOf(key.schema, key.path))];
  }
  if (schema.items?.properties !== undefined) {
    return sectionsOf({ ...schema.items, description }, `${path}[]`);
  }
  const { additionalProperties: values } = schema;
  if (typeof values !== 'object' || values.properties === undefined) return [];
  return sectionsOf({ ...values, description }, `${path}.<${singular(path)}>`);
}

function keysIn({ properties = {}, required = [] }: JsonSchema, path: string): readonly Key[] {
  return Object.entries(properties).map(([name, schema]) => ({
    path: path === '' ? name : `${path}.${name}`,
    schema,
    isRequired: required.includes(name),
  }));
}

/** The keys that all variants have come first; each variant then has its own. */
function variantsOf(variants: readonly JsonSchema[], path: string, description: string): readonly Section[] {
  const [first = {}, ...others] = variants;
  const isShared = ({ path: one, schema }: Key) =>
    others.every((variant) => sameKey(keysIn(variant, path).find((key) => key.path === one)?.schema, schema));
  const shared = keysIn(first, path)
    .filter(isShared)
    .map((key) => merged(key, variants, path));
  const names = new Set(shared.map((key) => key.path));
  const own = variants.flatMap((variant) => {
    const keys = keysIn(variant, path).filter((key) => !names.has(key.path));
    if (keys.length === 0) return [];
    const inner = keys.flatMap((key) => sectionsOf(key.schema, key.path));
    return [{ path, condition: conditionOf(variant), description: '', keys }, ...inner];
  });
  const inner = shared.flatMap((key) => sectionsOf(key.schema, key.path));
  return [{ path, description, keys: shared }, ...inner, ...own];
}

/** Returns whether two variants have the same key; the key that distinguishes them differs only in its value. */
function sameKey(one: JsonSchema | undefined, other: JsonSchema): boolean {
  if (one === undefined) return false;
  return other.const !== undefined ? one.const !== undefined : JSON.stringify(one) === JSON.stringify(other);
}

function merged(key: Key, variants: readonly JsonSchema[], path: string): Key {
  if (key.schema.const === undefined) return key;
  const values = variants.map((variant) => keysIn(variant, path).find((one) => one.path === key.path)?.schema.const);
  const { const: _, ...schema } = key.schema;
  return { ...key, schema: { ...schema, enum: values } };
}

function conditionOf({ properties = {} }: JsonSchema): string {
  const [name = '', schema] = Object.entries(properties).find(([, one]) => one.const !== undefined) ?? [];
  return `${name}: ${String(schema?.const)}`;
}

function singular(path: string): string {
  return singularWords(path).replaceAll(' ', '');
}

function singularWords(path: string): string {
  return path
    .slice(path.lastIndexOf('.') + 1)
    .replace(/s$/, '')
    .replace(/[A-Z]/g, ' $&')
    .toLowerCase();
}

function titleOf({ path, condition }: Section): string {
  if (path === '') return 'Keys';
  return condition === undefined ? path : `${path}, ${condition}`;
}

function headingOf(section: Section): string {
  return `## ${escaped(titleOf(section))}`;
}

/** The anchor that GitHub gives a heading. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

function tableOf({ path, keys }: Section): string {
  const rows = keys.map((key) => {
    const name = path === '' ? key.path : key.path.slice(path.length + 1);
    const cells = [
      `\`${name}\``,
      typeOf(key),
      defaultOf(key),
      `${key.schema.description ?? ''}${examplesOf(key.schema)}`,
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  });
  return ['| key | value | default | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

function defaultOf({ schema, isRequired }: Key): string {
  if (isRequired) return 'required';
  if (schema.default === undefined || isSection(schema)) return '';
  return `\`${yaml(schema.default)}\``;
}

function examplesOf({ examples = [] }: JsonSchema): string {
  if (examples.length === 0) return '';
  return ` Example: ${examples.map((example) => `\`${yaml(example)}\``).join(', ')}.`;
}

/** A value as people write it in one line. */
function yaml(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0, defaultKeyType: 'PLAIN' }).trim();
}

function typeOf({ path, schema }: Key): string {
  if (isSection(schema)) {
    const target = schema.items === undefined ? path : `${path}[]`;
    return `[${schema.items === undefined ? 'section' : 'list of sections'}](#${anchorOf(target)})`;
  }
  if (typeof schema.additionalProperties === 'object') return mapType(path, schema, schema.additionalProperties);
  return valueType(schema);
}

function mapType(path: string, schema: JsonSchema, values: JsonSchema): string {
  const least = schema.minProperties === undefined ? '' : `, at least ${schema.minProperties}`;
  if (values.properties !== undefined) {
    const name = singular(path);
    return `[section](#${anchorOf(`${path}.<${name}>`)}) for each ${singularWords(path)}${least}`;
  }
  return `map${least}; keys: ${valueType(schema.propertyNames ?? {})}; values: ${valueType(values)}`;
}

function valueType(schema: JsonSchema): string {
  const { type, minimum = 0, maximum = 0, enum: values, anyOf } = schema;
  if (anyOf !== undefined) return anyOf.map(valueType).join('; or ');
  if (schema.const !== undefined) return `\`${yaml(schema.const)}\``;
  if (values !== undefined) return alternativesOf(values);
  if (type === 'boolean') return alternativesOf([true, false]);
  if (type === 'integer') return `whole number from ${minimum} to ${maximum}`;
  if (type === 'number') return `number from ${minimum} to ${maximum}`;
  if (type === 'array') return listType(schema);
  if (schema.patternErrorMessage !== undefined) return schema.patternErrorMessage.replace('must be ', '');
  return schema.maxLength === undefined ? 'text' : `text of at most ${schema.maxLength} characters`;
}

function listType({ items = {}, minItems, maxItems }: JsonSchema): string {
  const each = valueType(items);
  if (minItems === undefined && maxItems === undefined) return `list; each item: ${each}`;
  return `list of ${countOf(minItems, maxItems)} items; each: ${each}`;
}

function countOf(least: number | undefined, most: number | undefined): string {
  if (least === undefined) return `at most ${most}`;
  return most === undefined ? `${least} or more` : `${least} to ${most}`;
}

/** Returns values as alternatives in a sentence: "`a`, `b` or `c`". */
function alternativesOf(values: readonly unknown[]): string {
  return new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(values.map((value) => `\`${yaml(value)}\``));
}

/** Angle brackets would be read as HTML. */
function escaped(text: string): string {
  return text.replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
