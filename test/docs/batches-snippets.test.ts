import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { toFile } from 'openai';
import { linesOf, type Service, startService } from '../lambdas/serve-batches/service.ts';

let service: Service;
let folder: string;
let snippets: string[];

beforeAll(async () => {
  service = await startService();
  // Below the repository, so that the snippets find the packages that they import.
  folder = await mkdtemp(join(import.meta.dirname, 'snippets-'));
  await writeFile(join(folder, 'requests.jsonl'), linesOf(40_000));
  const guide = await readFile('docs/batches.md', 'utf8');
  snippets = [...guide.matchAll(/^```ts\n(.*?)^```/gms)].map(([, text = '']) => text);
});

afterAll(async () => {
  await Promise.all([service.close(), rm(folder, { recursive: true })]);
});

/** Runs the snippet that a text stands in, as a reader would: with Node, in the folder of the file. */
async function run(mark: string, environment: Record<string, string> = {}): Promise<string> {
  const text = snippets.find((snippet) => snippet.includes(mark)) ?? '';
  await writeFile(join(folder, 'snippet.mts'), text);
  const env = { ...process.env, API_URL: service.gateway.url, API_KEY: 'key-1', ...environment, NODE_OPTIONS: '' };
  return (await promisify(execFile)(process.execPath, ['snippet.mts'], { cwd: folder, env })).stdout.trim();
}

describe('the snippets of docs/batches.md', () => {
  it('send a file in parts', async () => {
    const [id = '', status] = (await run('uploads.parts.create')).split(' ');
    expect(status).toBe('processed');
    expect(await (await service.client().files.content(id)).text()).toBe(linesOf(40_000));
  });

  it('send a file to a presigned address', async () => {
    const id = await run('upload_url');
    expect(await service.client().files.retrieve(id)).toMatchObject({ status: 'processed' });
    expect(await (await service.client().files.content(id)).text()).toBe(linesOf(40_000));
  });

  it('make the same batch each time', async () => {
    const file = await toFile(Buffer.from(linesOf(1)), 'one.jsonl');
    const { id: FILE_ID } = await service.client().files.create({ file, purpose: 'batch' });
    const first = await run('Idempotency-Key', { FILE_ID });
    expect(first).toMatch(/^batch_/);
    expect(await run('Idempotency-Key', { FILE_ID })).toBe(first);
  });

  it('run a batch to its end', async () => {
    await writeFile(join(folder, 'requests.jsonl'), linesOf(2));
    const ended = run('while (');
    const client = service.client();
    let started: string | undefined;
    while (started === undefined) {
      const { data } = await client.batches.list({ limit: 100 });
      const of = await Promise.all(data.map(({ input_file_id }) => client.files.retrieve(input_file_id)));
      started = data[of.findIndex(({ bytes }) => bytes === linesOf(2).length)]?.id;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const output = await client.files.create({
      file: await toFile(Buffer.from('answers'), 'out'),
      purpose: 'user_data',
    });
    const set = { status: 'completed', outputFileId: output.id, endedAtMs: service.clock.nowMs } as const;
    await service.deps.batches.change('key-1', started, { set, statusIn: ['validating'] });
    expect(await ended).toBe('answers');
  });
});
