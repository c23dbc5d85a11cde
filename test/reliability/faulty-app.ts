import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { synthesizeApp } from '../app/running-app.ts';
import { CALLERS_BUCKET, CALLERS_PREFIX } from './callers-bucket.ts';
import { writeFragileModel } from './fragile-model.ts';

const ROOT = join(import.meta.dirname, '../..');

const CONFIG = `
usagePlans:
  pro: { rateLimit: 1000, burstLimit: 2000 }
  internal:
    rateLimit: 1000
    burstLimit: 2000
    replyQueues: [results]
    eventBus: true
    inputBuckets: [{ bucket: ${CALLERS_BUCKET}, prefix: ${CALLERS_PREFIX} }]
retainData: false
jobs: { replyQueues: [results], inputBuckets: [${CALLERS_BUCKET}] }
`;

/**
 * Synthesizes the app of this repository with a model that can be made to fail (see `fragile-model.ts`), and with a bucket
 * of callers.
 *
 * @returns Folder of the synthesized app.
 */
export async function synthesizeFaultyApp(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tensorgate-faulty-'));
  try {
    for (const name of ['models', 'config']) await mkdir(join(folder, name));
    for (const name of await readdir(join(ROOT, 'models'))) {
      await symlink(join(ROOT, 'models', name), join(folder, 'models', name));
    }
    await writeFragileModel(join(folder, 'models'));
    await writeFile(join(folder, 'config/dev.yaml'), CONFIG);
    const assembly = await synthesizeApp(folder);
    await addCallersBucket(assembly);
    return assembly;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Callers own their bucket: no stack of the app has it. Local mode runs the buckets of templates only. */
async function addCallersBucket(assembly: string): Promise<void> {
  const file = join(assembly, 'TensorgateData-dev.template.json');
  const template = JSON.parse(await readFile(file, 'utf8')) as { readonly Resources: object };
  const bucket = { Type: 'AWS::S3::Bucket', Properties: { BucketName: CALLERS_BUCKET } };
  await writeFile(file, JSON.stringify({ ...template, Resources: { ...template.Resources, CallersBucket: bucket } }));
}
