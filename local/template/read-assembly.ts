import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as v from 'valibot';
import { AppError } from '../../core/errors.ts';
import { parse } from '../../core/parse.ts';
import { inlineNestedStacks, NESTED_STACK } from './inline-nested-stacks.ts';
import type { JsonObject } from './json.ts';
import type { Template } from './template.ts';

/** One stack of a synthesized app, as its files say it. */
export interface StackDocument {
  /** Name of the stack in CloudFormation. */
  readonly name: string;
  readonly template: Template;
  /** Absolute folder or file of each asset, by its hash. */
  readonly assets: ReadonlyMap<string, string>;
  /** Path of the construct of each resource, by logical id. */
  readonly constructPaths: ReadonlyMap<string, string>;
}

const jsonObject = v.custom<JsonObject>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  'must be an object',
);

const sections = v.optional(v.record(v.string(), jsonObject), {});

const templateSchema = v.object({
  Resources: v.optional(
    v.record(
      v.string(),
      v.object({
        Type: v.string('must be a resource type'),
        Properties: v.optional(jsonObject, {}),
        Condition: v.optional(v.string()),
        DependsOn: v.optional(v.union([v.string(), v.array(v.string())])),
      }),
    ),
    {},
  ),
  Outputs: sections,
  Parameters: sections,
  Mappings: sections,
  Conditions: sections,
});

const manifestSchema = v.object({
  artifacts: v.record(
    v.string(),
    v.object({
      type: v.string(),
      properties: v.optional(
        v.object({
          templateFile: v.optional(v.string()),
          stackName: v.optional(v.string()),
          file: v.optional(v.string()),
        }),
        {},
      ),
      dependencies: v.optional(v.array(v.string()), []),
      additionalMetadataFile: v.optional(v.string()),
    }),
  ),
});

type Artifact = v.InferOutput<typeof manifestSchema>['artifacts'][string];

const assetsSchema = v.object({
  files: v.optional(
    v.record(v.string(), v.object({ source: v.object({ path: v.optional(v.string()), packaging: v.string() }) })),
    {},
  ),
});

/** Entries by the path of their construct. */
const metadataSchema = v.record(v.string(), v.array(v.object({ type: v.string(), data: v.optional(v.unknown()) })));

/**
 * Reads a synthesized cloud assembly (`cdk.out`) with its stacks in the order that their dependencies ask for.
 *
 * @param directory - Folder that holds `manifest.json`.
 * @throws AppError `TEMPLATE_INVALID` when a file is missing or is not what the AWS CDK writes.
 */
export async function readAssembly(directory: string): Promise<StackDocument[]> {
  const root = resolve(directory);
  const { artifacts } = await readJson(join(root, 'manifest.json'), manifestSchema);
  const stacks: StackDocument[] = [];
  for (const [id, artifact] of inDependencyOrder(artifacts)) {
    const { templateFile, stackName } = artifact.properties;
    if (artifact.type !== 'aws:cloudformation:stack' || templateFile === undefined) continue;
    const assets = await readAssets(root, artifact, artifacts);
    const constructs = await readConstructs(root, artifact);
    const { template, prefixes } = await readTemplate(join(root, templateFile), assets);
    stacks.push({
      name: stackName ?? id,
      template,
      assets,
      constructPaths: pathsOf(constructs, prefixes),
    });
  }
  return stacks;
}

/** A template with its nested stacks inlined. */
interface InlinedTemplate {
  readonly template: Template;
  /** Logical ids of the nested stacks, with their parents. */
  readonly prefixes: readonly string[];
}

/** @param assets - Files of the stack, which hold the templates of nested stacks. */
async function readTemplate(file: string, assets: ReadonlyMap<string, string>): Promise<InlinedTemplate> {
  const template = await readJson(file, templateSchema);
  const nested = new Map<string, InlinedTemplate>();
  for (const [logicalId, { Type: type, Properties: properties }] of Object.entries(template.Resources)) {
    if (type !== NESTED_STACK) continue;
    const [, hash = ''] = /\/([0-9a-f]{64})\.json/.exec(JSON.stringify(properties['TemplateURL'] ?? null)) ?? [];
    const source = assets.get(hash);
    if (source === undefined) {
      throw new AppError(
        'TEMPLATE_INVALID',
        `${file}: the template of the nested stack ${logicalId} is not an asset of the app`,
      );
    }
    nested.set(logicalId, await readTemplate(source, assets));
  }
  const inner = [...nested].flatMap(([logicalId, { prefixes }]) => prefixes.map((prefix) => `${logicalId}${prefix}`));
  return {
    template: inlineNestedStacks(template, new Map([...nested].map(([id, one]) => [id, one.template]))),
    prefixes: [...nested.keys(), ...inner],
  };
}

async function readAssets(
  root: string,
  stack: Artifact,
  artifacts: Readonly<Record<string, Artifact>>,
): Promise<Map<string, string>> {
  const assets = new Map<string, string>();
  for (const id of stack.dependencies) {
    const manifest = artifacts[id];
    if (manifest?.type !== 'cdk:asset-manifest' || manifest.properties.file === undefined) continue;
    const { files } = await readJson(join(root, manifest.properties.file), assetsSchema);
    for (const [hash, { source }] of Object.entries(files)) {
      if (source.path !== undefined) assets.set(hash, resolve(root, source.path));
    }
  }
  return assets;
}

/** A construct: its path, and the logical id of its resource inside its own stack. */
type ConstructOfResource = readonly [logicalId: string, path: string];

async function readConstructs(
  root: string,
  { additionalMetadataFile: file }: Artifact,
): Promise<ConstructOfResource[]> {
  if (file === undefined) return [];
  const metadata = await readJson(join(root, file), metadataSchema);
  return Object.entries(metadata).flatMap(([path, entries]) =>
    entries.flatMap(({ type, data }): ConstructOfResource[] =>
      type === 'aws:cdk:logicalId' && typeof data === 'string' ? [[data, path]] : [],
    ),
  );
}

/** Ends of the path of a nested stack's own resource. */
const NESTED_STACK_RESOURCE = /\.NestedStack\/[^/]+\.NestedStackResource$/;

/**
 * The path of each resource's construct. Resources of a nested stack have the logical id of the stack before their own, as
 * in the inlined template.
 *
 * @param prefixes - Logical ids of the nested stacks.
 */
function pathsOf(constructs: readonly ConstructOfResource[], prefixes: readonly string[]): Map<string, string> {
  const known = new Set(prefixes);
  const stacks = constructs.filter(([id, path]) => known.has(id) && NESTED_STACK_RESOURCE.test(path));
  const folders = stacks.map(([id, path]) => [id, `${path.replace(NESTED_STACK_RESOURCE, '')}/`] as const);
  return new Map(
    constructs.map(([id, path]) => {
      const inside = folders.filter(([, folder]) => path.startsWith(folder)).map(([prefix]) => prefix);
      return [`${inside.join('')}${id}`, path];
    }),
  );
}

function inDependencyOrder(artifacts: Readonly<Record<string, Artifact>>): [string, Artifact][] {
  const ordered = new Map<string, Artifact>();
  const visit = (id: string): void => {
    const artifact = artifacts[id];
    if (artifact === undefined || ordered.has(id)) return;
    artifact.dependencies.forEach(visit);
    ordered.set(id, artifact);
  };
  Object.keys(artifacts).forEach(visit);
  return [...ordered];
}

async function readJson<S extends v.GenericSchema>(file: string, schema: S): Promise<v.InferOutput<S>> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (cause) {
    throw new AppError('TEMPLATE_INVALID', `${file} cannot be read; synthesize the app again`, { cause });
  }
  return parse(schema, value, file, 'TEMPLATE_INVALID');
}
