import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as v from 'valibot';
import { AppError } from '../../core/errors.ts';
import { parse } from '../../core/parse.ts';
import type { JsonObject } from './json.ts';

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

/** The parts of a CloudFormation template that local mode reads. */
export interface Template {
  readonly Resources: Readonly<Record<string, TemplateResource>>;
  readonly Outputs: Readonly<Record<string, JsonObject>>;
  readonly Parameters: Readonly<Record<string, JsonObject>>;
  readonly Mappings: Readonly<Record<string, JsonObject>>;
  readonly Conditions: Readonly<Record<string, JsonObject>>;
}

/** One resource, intrinsic functions unresolved. */
export interface TemplateResource {
  readonly Type: string;
  readonly Properties: JsonObject;
  readonly Condition?: string | undefined;
  readonly DependsOn?: string | string[] | undefined;
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
    const template = await readJson(join(root, templateFile), templateSchema);
    stacks.push({
      name: stackName ?? id,
      template,
      assets: await readAssets(root, artifact, artifacts),
      constructPaths: await readConstructPaths(root, artifact),
    });
  }
  return stacks;
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

async function readConstructPaths(
  root: string,
  { additionalMetadataFile: file }: Artifact,
): Promise<Map<string, string>> {
  if (file === undefined) return new Map();
  const metadata = await readJson(join(root, file), metadataSchema);
  const paths = Object.entries(metadata).flatMap(([path, entries]) =>
    entries.flatMap(({ type, data }): [string, string][] =>
      type === 'aws:cdk:logicalId' && typeof data === 'string' ? [[data, path]] : [],
    ),
  );
  return new Map(paths);
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
