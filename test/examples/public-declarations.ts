import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseSync } from '@swc/core';

/** A node of the syntax tree, as far as this file looks into it. */
type Node = { readonly type?: string } & Readonly<Record<string, unknown>>;

/** A declaration file: its exports from other files, its imports and its declarations, by name. */
interface DeclarationFile {
  readonly reexports: ReadonlyMap<string, Source>;
  readonly imports: ReadonlyMap<string, Source>;
  readonly declarations: ReadonlyMap<string, Node>;
}

/** Where a name comes from. */
interface Source {
  readonly file: string;
  readonly name: string;
}

const files = new Map<string, DeclarationFile>();

/**
 * Finds the types that exported declarations use and that are not exported themselves. An app cannot name them.
 *
 * @param entry - Path of the `index.d.ts` of a package.
 * @returns One line for each use.
 */
export function unexportedTypes(entry: string): readonly string[] {
  const { reexports } = readDeclarations(entry);
  const exported = new Set([...reexports.values()].map(keyOf));
  return [...reexports.values()].flatMap((source) =>
    usedBy(source)
      .filter((used) => !exported.has(keyOf(used)))
      .map((used) => `${source.name} uses ${used.name} of ${used.file}`),
  );
}

/** Names of the classes, functions and objects that a package exports. */
export function exportedValues(entry: string): readonly string[] {
  const lists = readFileSync(entry, 'utf8').matchAll(/^export \{(.*?)\} from/gms);
  return [...lists]
    .flatMap(([, names = '']) => names.split(',').map((name) => name.trim()))
    .filter((name) => /^\w+$/.test(name));
}

/** An `@example` of a comment of the package. */
export interface TsdocExample {
  /** The line that the comment belongs to. */
  readonly subject: string;
  readonly code: string;
}

/** Returns every `@example` of the declarations that a package exports. */
export function tsdocExamples(entry: string): readonly TsdocExample[] {
  const exported = new Set([...readDeclarations(entry).reexports.values()].map(({ file }) => file));
  return [...exported].flatMap((file) => {
    const comments = readFileSync(file, 'utf8').matchAll(/\/\*\*((?:(?!\*\/).)*?)\*\/\s*([^\n]*)/gs);
    return [...comments].flatMap(([, comment = '', rest = '']) => {
      const [, code] = /@example\n(.*)/s.exec(comment) ?? [];
      if (code === undefined) return [];
      return [{ subject: rest, code: code.replace(/^\s*\* ?/gm, '') }];
    });
  });
}

function keyOf({ file, name }: Source): string {
  return `${file}#${name}`;
}

/** The declarations of the same package that a declaration names. */
function usedBy({ file, name }: Source): readonly Source[] {
  const { declarations, imports } = readDeclarations(file);
  const declaration = declarations.get(name);
  if (declaration === undefined) throw new Error(`${file} declares no ${name}`);
  const names = new Set(typeNames(declaration));
  return [...names].flatMap((used) => {
    const imported = imports.get(used);
    if (imported !== undefined) return [imported];
    return declarations.has(used) && used !== name ? [{ file, name: used }] : [];
  });
}

/** Names of types in a tree; those behind `typeof` are values. */
function typeNames(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(typeNames);
  if (typeof value !== 'object' || value === null) return [];
  const node = value as Node;
  const own = [
    node.type === 'TsTypeReference' ? leftmost(node['typeName']) : undefined,
    node.type === 'TsExpressionWithTypeArguments' ? leftmost(node['expression']) : undefined,
    node.type === 'ClassDeclaration' ? leftmost(node['superClass']) : undefined,
  ].filter((name) => name !== undefined);
  if (node.type === 'TsTypeQuery') return own;
  return [...own, ...Object.values(node).flatMap(typeNames)];
}

function leftmost(value: unknown): string | undefined {
  const node = (value ?? {}) as Node;
  if (node.type === 'Identifier') return String(node['value']);
  return node.type === 'TsQualifiedName' ? leftmost(node['left']) : undefined;
}

function readDeclarations(file: string): DeclarationFile {
  const known = files.get(file);
  if (known !== undefined) return known;
  const { body } = parseSync(readFileSync(file, 'utf8'), { syntax: 'typescript' });
  const nodes = body as unknown as readonly Node[];
  const read = {
    reexports: new Map(
      nodes.filter(({ type }) => type === 'ExportNamedDeclaration').flatMap((node) => bindings(node, file)),
    ),
    imports: new Map(nodes.filter(({ type }) => type === 'ImportDeclaration').flatMap((node) => bindings(node, file))),
    declarations: new Map(nodes.flatMap(declared)),
  };
  files.set(file, read);
  return read;
}

/** Names of an import or export, and where they come from. Those of other packages are left out. */
function bindings({ specifiers, source }: Node, file: string): readonly (readonly [string, Source])[] {
  const path = String((source as Node | undefined)?.['value'] ?? '');
  if (!path.startsWith('.')) return [];
  const from = join(dirname(file), path.replace(/\.(?:ts|js)$/, '.d.ts'));
  return (specifiers as readonly Node[]).map((specifier) => {
    const own = textOf(specifier['local'] ?? specifier['orig']);
    const other = textOf(specifier['imported'] ?? specifier['orig'] ?? specifier['local']);
    return [textOf(specifier['exported']) || own, { file: from, name: other }];
  });
}

function textOf(identifier: unknown): string {
  return String((identifier as Node | null | undefined)?.['value'] ?? '');
}

function declared(node: Node): readonly (readonly [string, Node])[] {
  const declaration = (node.type === 'ExportDeclaration' ? node['declaration'] : node) as Node;
  const variables = (declaration['declarations'] as readonly Node[] | undefined) ?? [];
  const name = textOf(declaration['id'] ?? declaration['identifier']);
  return [
    ...(name === '' ? [] : [[name, declaration] as const]),
    ...variables.map((variable) => [textOf(variable['id']), variable] as const),
  ];
}
