import { deepStrictEqual as equal, ok } from 'node:assert/strict';
import { toFile } from 'openai';
import { WebhookReceiver } from '../app/webhook-receiver.ts';
import { type DeployedApi, until } from './deployed-api.ts';
import type { Report } from './report.ts';

const BODY = { model: 'minilm', input: 'The parcel arrived this morning.', encoding_format: 'float' };
const LINES = 20;

/** Body of a request that submits a job by its id. */
export const JOB = { endpoint: '/v1/embeddings', body: BODY };

interface JobResource {
  readonly id: string;
  readonly status: string;
  readonly result?: unknown;
}

/**
 * Polls a job until it has ended.
 *
 * @returns Its result.
 */
export async function resultOfJob(api: DeployedApi, id: string): Promise<unknown> {
  const job = await until(async () => {
    const { json } = await api.call('GET', `/v1/jobs/${id}`);
    const now = json as JobResource;
    return ['queued', 'running'].includes(now.status) ? undefined : now;
  });
  equal(job.status, 'succeeded');
  return job.result;
}

/** Lines of a batch file: one request each. */
function batchLines(): string {
  const lines = Array.from({ length: LINES }, (_, index) => ({
    custom_id: `parcel-${index}`,
    method: 'POST',
    url: '/v1/embeddings',
    body: { model: 'minilm', input: `Parcel number ${index}`, encoding_format: 'float' },
  }));
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** Checks jobs, files, batches and webhooks. */
export async function checkJobs(api: DeployedApi, report: Report): Promise<void> {
  await report.check('a job is accepted, and polling ends with the result of the synchronous request', async () => {
    const synchronous = await api.call('POST', '/v1/embeddings', { body: BODY });
    const accepted = await api.call('POST', '/v1/embeddings', { body: BODY, headers: { prefer: 'respond-async' } });
    equal(accepted.status, 202);
    equal(await resultOfJob(api, (accepted.json as JobResource).id), synchronous.json);
  });
  await report.check('a job with the id of its caller is accepted once', async () => {
    const first = await api.call('PUT', '/v1/jobs/parcel-1', { body: JOB });
    const second = await api.call('PUT', '/v1/jobs/parcel-1', { body: JOB });
    equal([first.status, (second.json as JobResource).id], [202, 'parcel-1']);
    ok(await resultOfJob(api, 'parcel-1'));
  });
  await report.check('a caller waits for a job as long as it prefers', async () => {
    const { status, headers } = await api.call('POST', '/v1/embeddings', {
      body: BODY,
      headers: { prefer: 'wait=20' },
    });
    equal([status, headers.get('preference-applied')], [200, 'wait=20']);
  });
  await report.check('a file is uploaded in a form, listed, downloaded through a redirect and deleted', async () => {
    const client = api.openAi();
    const text = batchLines();
    const file = await client.files.create({ file: await toFile(Buffer.from(text), 'a.jsonl'), purpose: 'batch' });
    ok((await client.files.list()).data.some(({ id }) => id === file.id));
    equal(await (await client.files.content(file.id)).text(), text);
    equal((await client.files.delete(file.id)).deleted, true);
  });
  await report.check('a file is uploaded in parts', async () => {
    const client = api.openAi();
    const content = Buffer.from(batchLines());
    const [filename, mime_type] = ['parts.jsonl', 'application/jsonl'];
    const upload = await client.uploads.create({ bytes: content.length, filename, mime_type, purpose: 'batch' });
    const part = await client.uploads.parts.create(upload.id, { data: await toFile(content, 'part') });
    const completed = await client.uploads.complete(upload.id, { part_ids: [part.id] });
    const id = completed.file?.id ?? '';
    equal(await (await client.files.content(id)).text(), content.toString());
  });
  await report.check('a file is uploaded to a presigned URL', async () => {
    const content = batchLines();
    const declaration = { bytes: Buffer.byteLength(content), filename: 'put.jsonl', purpose: 'batch' };
    const { status, json } = await api.call('POST', '/v1/files', { body: declaration });
    equal(status, 200);
    const { id, upload_url } = json as { readonly id: string; readonly upload_url: string };
    equal((await fetch(upload_url, { method: 'PUT', body: content })).status, 200);
    equal(await (await api.openAi().files.content(id)).text(), content);
  });
  await report.check(`a batch of ${LINES} requests completes, and its output has every line`, async () => {
    const client = api.openAi();
    const file = await client.files.create({
      file: await toFile(Buffer.from(batchLines()), 'lines.jsonl'),
      purpose: 'batch',
    });
    const { id } = await client.batches.create({
      input_file_id: file.id,
      endpoint: '/v1/embeddings',
      completion_window: '24h',
    });
    const batch = await until(async () => {
      const now = await client.batches.retrieve(id);
      return ['validating', 'in_progress', 'finalizing'].includes(now.status) ? undefined : now;
    });
    equal([batch.status, batch.request_counts], ['completed', { total: LINES, completed: LINES, failed: 0 }]);
    const output = await (await client.files.content(batch.output_file_id ?? '')).text();
    equal(output.trimEnd().split('\n').length, LINES);
  });
  await report.check('a webhook is called with a signature that the library of the standard verifies', async () => {
    const receiver = new WebhookReceiver();
    const url = await receiver.listen();
    try {
      const { json } = await api.call('GET', '/v1/webhooks/secret');
      const { secrets } = json as { readonly secrets: readonly { readonly secret: string }[] };
      receiver.trust(...secrets.map(({ secret }) => secret));
      const headers = { prefer: 'respond-async', 'x-webhook-url': url };
      const { status, json: job } = await api.call('POST', '/v1/embeddings', { body: BODY, headers });
      equal(status, 202);
      const event = await until(async () => receiver.events[0]);
      equal([event.body.type, event.body.data['id']], ['job.succeeded', (job as JobResource).id]);
      equal(receiver.refused, 0);
    } finally {
      await receiver.close();
    }
  });
}
