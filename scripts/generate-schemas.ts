import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { toJsonSchema } from '@valibot/to-json-schema';
import type { GenericSchema } from 'valibot';
import { deployConfigSchema } from '../core/config/deploy-config.ts';
import { jobEventSchema } from '../core/jobs/cloud-event.ts';
import { anyManifestSchema } from '../core/models/manifest.ts';

const FOLDER = new URL('../docs/schemas/', import.meta.url);

/** File name, title and schema of each kind of file or message that people write. */
const SCHEMAS: readonly (readonly [file: string, title: string, schema: GenericSchema])[] = [
  ['model.schema.json', 'models/<id>/model.yaml', anyManifestSchema],
  ['config.schema.json', 'config/<stage>.yaml', deployConfigSchema],
  ['job-event.schema.json', 'Message on the jobs queue: one CloudEvent in structured mode', jobEventSchema],
];

/** The JSON Schema of what people type: keys with a default may be left out, and checks across keys are not told. */
function render(title: string, schema: GenericSchema): string {
  const document = toJsonSchema(schema, { typeMode: 'input', errorMode: 'ignore' });
  return `${JSON.stringify({ title, ...document }, null, 2)}\n`;
}

function isCurrent(file: URL, text: string): boolean {
  try {
    return readFileSync(file, 'utf8') === text;
  } catch {
    return false;
  }
}

const check = process.argv.includes('--check');
for (const [name, title, schema] of SCHEMAS) {
  const file = new URL(name, FOLDER);
  const text = render(title, schema);
  if (isCurrent(file, text)) continue;
  if (check) {
    console.error(`docs/schemas/${name} differs from core/: run "npx node scripts/generate-schemas.ts" and commit it`);
    process.exitCode = 1;
  } else {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(file, text);
    console.log(`wrote docs/schemas/${name}`);
  }
}
