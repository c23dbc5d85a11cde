import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { DESCRIBED_FILES, jsonSchemaOf } from './described-files.ts';
import { renderReference } from './reference-page.ts';

const DOCS = new URL('../docs/', import.meta.url);

/** Links of descriptions lead from page to page, where editors do not follow. */
function withoutLinks(text: string): string {
  return text.replace(/\[([^\]]+)\]\([^)]+\)/g, '$1');
}

/** Path below `docs/` and text of every generated file. */
function generate(): readonly (readonly [path: string, text: string])[] {
  return DESCRIBED_FILES.flatMap((file) => {
    const schema = jsonSchemaOf(file);
    const { title, schemaFile, page } = file;
    const written = `${withoutLinks(JSON.stringify({ title, ...schema }, null, 2))}\n`;
    const files = [[`schemas/${schemaFile}`, written] as const];
    return page === undefined
      ? files
      : [...files, [page.file, renderReference(title, page.introduction, schema)] as const];
  });
}

function isCurrent(file: URL, text: string): boolean {
  try {
    return readFileSync(file, 'utf8') === text;
  } catch {
    return false;
  }
}

const check = process.argv.includes('--check');
mkdirSync(new URL('schemas/', DOCS), { recursive: true });
for (const [path, text] of generate()) {
  const file = new URL(path, DOCS);
  if (isCurrent(file, text)) continue;
  if (check) {
    console.error(`docs/${path} differs from core/: run "npx node scripts/generate-schemas.ts" and commit it`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, text);
    console.log(`wrote docs/${path}`);
  }
}
