import { toJsonSchema } from '@valibot/to-json-schema';
import type { GenericSchema } from 'valibot';
import { deployConfigSchema } from '../core/config/deploy-config.ts';
import { jobEventSchema } from '../core/jobs/cloud-event.ts';
import { anyManifestSchema, manifestSchemaOf } from '../core/models/manifest.ts';
import { TASKS } from '../core/tasks/tasks.ts';
import { isSection, type JsonSchema, keysOf } from './reference-page.ts';

const OPTIONS = { typeMode: 'input', errorMode: 'ignore' } as const;

/** A kind of file or message that people write. */
export interface DescribedFile {
  /** File of its JSON Schema, in `docs/schemas/`. */
  readonly schemaFile: string;
  readonly title: string;
  readonly schema: GenericSchema;
  /** Its reference page in `docs/`. */
  readonly page?: { readonly file: string; readonly introduction: string };
}

const MODEL_INTRODUCTION = `
This page describes every key of a model's manifest. Each model is a folder in \`models/\`. Its \`model.yaml\` states what the
model does and where it runs. Inputs, outputs, shapes and datatypes are read from the ONNX file.
[Getting a model](get-a-model.md) shows how to create the files.

\`\`\`yaml
# yaml-language-server: $schema=../../docs/schemas/model.schema.json
id: my-model
task: embedding
versions:
  "1": { weights: 1/model.onnx, sha256: 8cf9edfe6bb587d0b10ba6e0ebae0165b232f18f1360a626455039c4b4cfc6c5 }
\`\`\`

The first line is optional. It helps editors that have a YAML language server, such as VS Code with the extension YAML by Red Hat.
These editors complete the keys, show their descriptions and mark mistakes. In your own CDK app, the schema is
\`node_modules/tensorgate/docs/schemas/model.schema.json\`. Unknown keys are errors, and all problems are reported together.
`;

const CONFIG_INTRODUCTION = `
This page describes every key of the configuration of a stage. Each stage has a file \`config/<stage>.yaml\`: \`npm start\` reads
\`config/dev.yaml\`, and \`cdk deploy -c stage=prod\` reads \`config/prod.yaml\`. Every key has a default, so the file may be empty.

\`\`\`yaml
# yaml-language-server: $schema=../docs/schemas/config.schema.json
usagePlans:
  free: { rateLimit: 5, burstLimit: 10, quota: { limit: 10000, period: DAY } }
  partners: { rateLimit: 50, burstLimit: 100, keys: [acme, globex] }
logRetentionDays: 90
maxIdleMonthlyUsd: 10
\`\`\`

The first line is optional. It helps editors that have a YAML language server, such as VS Code with the extension YAML by Red Hat.
These editors complete the keys, show their descriptions and mark mistakes. Unknown keys are errors, and all problems are reported together.
[Deploy](deploy.md) explains stages, keys and tenants.
`;

/** Manifest and configuration have a reference page; the message has a section in the guide of producers. */
export const DESCRIBED_FILES: readonly DescribedFile[] = [
  {
    schemaFile: 'model.schema.json',
    title: 'models/<id>/model.yaml',
    schema: anyManifestSchema,
    page: { file: 'model-yaml.md', introduction: MODEL_INTRODUCTION },
  },
  {
    schemaFile: 'config.schema.json',
    title: 'config/<stage>.yaml',
    schema: deployConfigSchema,
    page: { file: 'config-yaml.md', introduction: CONFIG_INTRODUCTION },
  },
  {
    schemaFile: 'job-event.schema.json',
    title: 'Message on the jobs queue: one CloudEvent in structured mode',
    schema: jobEventSchema,
  },
];

/**
 * Returns the JSON Schema of what people write: keys with a default may be left out. Checks across keys have no place in a JSON
 * Schema. Descriptions are Markdown; keys of only some tasks say so in theirs.
 */
export function jsonSchemaOf({ schema, page }: DescribedFile): JsonSchema {
  const document = toJsonSchema(schema, OPTIONS);
  const text = JSON.stringify(document, (name, value: unknown) => {
    // Only editors know this keyword, and strict validators refuse what they do not know.
    if (name === 'patternErrorMessage' && page === undefined) return undefined;
    return name === 'examples' && Array.isArray(value) && value.length === 0 ? undefined : value;
  });
  const read: JsonSchema = JSON.parse(text);
  return schema === anyManifestSchema ? withNotes(read, '', taskNotes(read)) : read;
}

/** The notes about keys that only some tasks have, or that have another meaning for some, by the path of the key. */
function taskNotes(union: JsonSchema): ReadonlyMap<string, string> {
  const tasks = Object.keys(TASKS).map((task) => {
    const document: JsonSchema = JSON.parse(JSON.stringify(toJsonSchema(manifestSchemaOf(task), OPTIONS)));
    return { task: `\`${task}\``, keys: new Map(keysOf(document).map(({ path, schema }) => [path, schema])) };
  });
  const notes = new Map<string, string>();
  for (const { path, schema } of keysOf(union)) {
    const having = tasks.filter(({ keys }) => keys.has(path));
    if ([...notes.keys()].some((noted) => path.startsWith(`${noted}.`)) || path === 'task') continue;
    if (having.length < tasks.length) {
      notes.set(path, `Only for the task ${having.map(({ task }) => task).join(', ')}.`);
      continue;
    }
    const others = having.flatMap(({ task, keys }) => otherMeaning(task, keys.get(path) ?? {}, schema));
    if (others.length > 0) notes.set(path, others.join(' '));
  }
  return notes;
}

function otherMeaning(task: string, own: JsonSchema, shown: JsonSchema): string[] {
  if (
    isSection(own) ||
    (own.description === shown.description && JSON.stringify(own.default) === JSON.stringify(shown.default))
  )
    return [];
  return [`For the task ${task}: ${own.description} Default: \`${JSON.stringify(own.default)}\`.`];
}

function withNotes(schema: JsonSchema, path: string, notes: ReadonlyMap<string, string>): JsonSchema {
  const note = notes.get(path);
  const { properties, oneOf, description } = schema;
  const prefix = path === '' ? '' : `${path}.`;
  return {
    ...schema,
    description: note === undefined ? description : `${description} ${note}`,
    properties:
      properties &&
      Object.fromEntries(
        Object.entries(properties).map(([name, one]) => [name, withNotes(one, `${prefix}${name}`, notes)]),
      ),
    oneOf: oneOf?.map((one) => withNotes(one, path, new Map([...notes].filter(([noted]) => noted !== path)))),
  };
}
