import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { toFile } from 'openai';
import { AppError } from '../../../core/errors.ts';
import { MAX_FORM_BYTES } from '../../../core/files/limits.ts';
import { openSqsMessageQueue } from '../../../lambdas/shared/queue/sqs-message-queue.ts';
import { clientOf, MAX_FILE_BYTES, type Service, startService } from './service.ts';

let service: Service;

beforeAll(async () => {
  service = await startService();
});

afterAll(() => service.close());

const HALVES = ['{"custom_id":"a"', ',"body":{}}\n'] as const;
const TEXT = HALVES.join('');
const MD5 = createHash('md5').update(TEXT).digest('hex');

const begin = (bytes = TEXT.length, apiKey?: string) =>
  service.client(apiKey).uploads.create({
    filename: 'parts.jsonl',
    purpose: 'batch',
    mime_type: 'application/jsonl',
    bytes,
  });

const part = async (uploadId: string, text: string, client = service.client()) =>
  client.uploads.parts.create(uploadId, { data: await toFile(Buffer.from(text), 'part') });

/** An upload with two parts, not completed yet. */
async function parted() {
  const { id } = await begin();
  const [first, second] = [await part(id, HALVES[0]), await part(id, HALVES[1])];
  return { id, part_ids: [first.id, second.id] };
}

describe('an upload', () => {
  it('creates a file from its parts in the requested order', async () => {
    const upload = await begin();
    expect(upload).toEqual({
      id: expect.stringMatching(/^upload_[0-9a-z]{26}$/),
      object: 'upload',
      bytes: TEXT.length,
      created_at: 1_750_000_000,
      expires_at: 1_750_003_600,
      filename: 'parts.jsonl',
      purpose: 'batch',
      status: 'pending',
      file: null,
    });
    const second = await part(upload.id, HALVES[1]);
    const first = await part(upload.id, HALVES[0]);
    expect(first).toEqual({
      id: expect.stringMatching(/^part_[0-9a-z]{26}$/),
      object: 'upload.part',
      created_at: 1_750_000_000,
      upload_id: upload.id,
    });
    const completed = await service.client().uploads.complete(upload.id, { part_ids: [first.id, second.id], md5: MD5 });
    expect(completed).toMatchObject({ id: upload.id, status: 'completed' });
    const id = completed.file?.id ?? '';
    expect(completed.file).toMatchObject({ status: 'processed', bytes: TEXT.length, filename: 'parts.jsonl' });
    expect(await (await service.client().files.content(id)).text()).toBe(TEXT);
    expect((await service.client().files.list()).data).toMatchObject([{ id }]);
  });

  it('keeps no parts once they are a file', async () => {
    const { id, part_ids } = await parted();
    await service.client().uploads.complete(id, { part_ids });
    await expect(service.servers.textOf(`chunks/key-1/${id}/${part_ids[0]}`)).rejects.toMatchObject({
      name: 'NoSuchKey',
    });
  });

  it('puts parts together that are larger than one part of S3', async () => {
    const pieces = Array.from({ length: 5 }, (_, index) => Buffer.alloc(4_000_000, index + 65).toString());
    const { id } = await begin(20_000_000);
    const part_ids: string[] = [];
    for (const piece of pieces) part_ids.push((await part(id, piece)).id);
    const md5 = createHash('md5').update(pieces.join('')).digest('hex').toUpperCase();
    const { file } = await service.client().uploads.complete(id, { part_ids, md5 });
    expect(file).toMatchObject({ status: 'processed', bytes: 20_000_000 });
    const content = await (await service.client().files.content(file?.id ?? '')).text();
    expect(content === pieces.join('')).toBe(true);
  });

  it('sets the requested time to live of its file', async () => {
    const upload = await service.client().uploads.create({
      filename: 'a',
      purpose: 'user_data',
      mime_type: 'text/plain',
      bytes: 1,
      expires_after: { anchor: 'created_at', seconds: 7200 },
    });
    const { id } = await part(upload.id, 'x');
    const { file } = await service.client().uploads.complete(upload.id, { part_ids: [id] });
    expect(file?.expires_at).toBe(upload.created_at + 7200);
  });

  it.each([
    ['no bytes', { bytes: 0 }],
    ['an unknown purpose', { purpose: 'fine-tune' }],
    ['no media type', { mime_type: 'jsonl' }],
  ])('fails with INVALID_BODY when it is declared with %s', async (_, changes) => {
    const body = { filename: 'a', purpose: 'batch', mime_type: 'text/plain', bytes: 1, ...changes };
    const upload = service.client().post('/uploads', { body });
    await expect(upload).rejects.toMatchObject({ status: 400, code: 'INVALID_BODY' });
  });

  it('fails with FILE_TOO_LARGE beyond the limit of the deployment', async () => {
    await expect(begin(MAX_FILE_BYTES + 1)).rejects.toMatchObject({ status: 413, code: 'FILE_TOO_LARGE' });
  });
});

describe('a part', () => {
  it('fails with BODY_TOO_LARGE beyond the gateway’s limit, naming what is allowed', async () => {
    const { id } = await begin();
    const message = expect.stringMatching(/parts of 4680000 bytes or less.*part_size=4_000_000.*upload_url/);
    await expect(part(id, 'x'.repeat(MAX_FORM_BYTES))).rejects.toMatchObject({ code: 'BODY_TOO_LARGE', message });
  });

  it.each([
    ['the part is empty', { data: new Blob([]) }],
    ['must contain the field data', { number: '1' }],
  ])('fails with INVALID_BODY when %s', async (detail, fields) => {
    const { id } = await begin();
    const body = new FormData();
    for (const [name, value] of Object.entries(fields)) body.append(name, value);
    const answer = await service.send('POST', `/v1/uploads/${id}/parts`, { body, headers: { 'x-api-key': 'key-1' } });
    expect(await answer.json()).toMatchObject({ code: 'INVALID_BODY', detail: expect.stringContaining(detail) });
  });

  it('fails with UNSUPPORTED_MEDIA_TYPE when it is not a form', async () => {
    const { id } = await begin();
    const upload = service.client().post(`/uploads/${id}/parts`, { body: { data: 'x' } });
    await expect(upload).rejects.toMatchObject({ status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' });
  });

  it('fails with UPLOAD_ENDED once the upload is completed or canceled', async () => {
    const { id, part_ids } = await parted();
    await service.client().uploads.complete(id, { part_ids });
    await expect(part(id, 'x')).rejects.toMatchObject({ status: 409, code: 'UPLOAD_ENDED' });
    const canceled = await begin();
    await service.client().uploads.cancel(canceled.id);
    await expect(part(canceled.id, 'x')).rejects.toMatchObject({ status: 409, code: 'UPLOAD_ENDED' });
  });
});

describe('completing an upload', () => {
  it.each([
    ['an empty list', { part_ids: [] }],
    ['an invalid id', { part_ids: ['x'] }],
    ['an invalid MD5 sum', { part_ids: [`part_${'0'.repeat(26)}`], md5: 'abc' }],
  ])('fails with INVALID_BODY for %s', async (_, body) => {
    const { id } = await begin();
    const completed = service.client().uploads.complete(id, body);
    await expect(completed).rejects.toMatchObject({ status: 400, code: 'INVALID_BODY' });
  });

  it('fails with INVALID_PARAMETER for a part of another upload, and names its position', async () => {
    const [one, other] = [await parted(), await parted()];
    const part_ids = [one.part_ids[0] ?? '', other.part_ids[1] ?? ''];
    const completed = service.client().uploads.complete(one.id, { part_ids });
    await expect(completed).rejects.toMatchObject({ code: 'INVALID_PARAMETER', param: 'part_ids[1]' });
  });

  it('fails with UPLOAD_INCOMPLETE while the parts hold other bytes than declared, and takes the rest then', async () => {
    const { id, part_ids } = await parted();
    const [first = ''] = part_ids;
    const failure = await service
      .client()
      .uploads.complete(id, { part_ids: [first] })
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({
      status: 409,
      code: 'UPLOAD_INCOMPLETE',
      message: expect.stringContaining(`the 1 parts hold ${HALVES[0].length} bytes, the upload was declared with`),
    });
    // OpenAI's client would send it again twice.
    expect((failure as { headers: Headers }).headers.get('x-should-retry')).toBe('false');
    expect(await service.client().uploads.complete(id, { part_ids })).toMatchObject({ status: 'completed' });
  });

  it('fails with UPLOAD_INCOMPLETE when the MD5 sum is another one, each time it is tried', async () => {
    const { id, part_ids } = await parted();
    const complete = () => service.client().uploads.complete(id, { part_ids, md5: '0'.repeat(32) });
    const message = expect.stringContaining('the MD5 hash of the parts differs from the declared one');
    await expect(complete()).rejects.toMatchObject({ code: 'UPLOAD_INCOMPLETE', message });
    await expect(complete()).rejects.toMatchObject({ code: 'UPLOAD_INCOMPLETE', message });
    const file = await service.client().files.retrieve(id.replace('upload_', 'file-'));
    expect(file).toMatchObject({ status: 'error' });
  });

  it('fails with UPLOAD_EXPIRED an hour after the upload started', async () => {
    const { id, part_ids } = await parted();
    service.clock.nowMs += 3_600_000;
    const expired = { status: 410, code: 'UPLOAD_EXPIRED' };
    await expect(service.client().uploads.complete(id, { part_ids })).rejects.toMatchObject(expired);
    await expect(part(id, 'x')).rejects.toMatchObject(expired);
  });

  it('returns the same file when it is repeated with the same parts', async () => {
    const { id, part_ids } = await parted();
    const first = await service.client().uploads.complete(id, { part_ids });
    expect(await service.client().uploads.complete(id, { part_ids })).toEqual(first);
    await service.client().files.delete(first.file?.id ?? '');
    expect(await service.client().uploads.complete(id, { part_ids })).toEqual({ ...first, file: null });
  });

  it('fails with UPLOAD_ENDED when it is repeated with other parts', async () => {
    const { id, part_ids } = await parted();
    await service.client().uploads.complete(id, { part_ids });
    const again = service.client().uploads.complete(id, { part_ids: [...part_ids].reverse() });
    await expect(again).rejects.toMatchObject({ code: 'UPLOAD_ENDED' });
  });

  it('is won by one of two requests with different parts', async () => {
    const { id, part_ids } = await parted();
    const lists = [part_ids, [...part_ids].reverse()];
    const results = await Promise.allSettled(
      lists.map((ids) => service.client().uploads.complete(id, { part_ids: ids })),
    );
    const won = results.findIndex(({ status }) => status === 'fulfilled');
    expect(results[1 - won]).toMatchObject({ reason: { code: 'UPLOAD_ENDED' } });
    const content = await service.client().files.content(id.replace('upload_', 'file-'));
    expect(await content.text()).toBe(won === 0 ? TEXT : [...HALVES].reverse().join(''));
  });

  it('sends the next step before it records anything', async () => {
    const { id, part_ids } = await parted();
    const gateway = await service.start({
      uploads: { ...service.deps.uploads, change: () => Promise.reject(new Error('the function was stopped')) },
      steps: async () =>
        openSqsMessageQueue({ client: service.servers.sqs, url: await service.servers.createQueue('spare') }),
    });
    await expect(clientOf(gateway).uploads.complete(id, { part_ids })).rejects.toMatchObject({ status: 500 });
    expect(await service.heldBack('spare')).toBe(1);
    expect(await service.deps.uploads.get('key-1', id)).toMatchObject({ status: 'pending' });
  });

  it('continues where a first attempt stopped before the file existed', async () => {
    const { id, part_ids } = await parted();
    const stopped = () => Promise.reject(new Error('the function was stopped'));
    const gateway = await service.start({ files: { ...service.deps.files, create: stopped } });
    await expect(clientOf(gateway).uploads.complete(id, { part_ids })).rejects.toMatchObject({ status: 500 });
    expect(await service.deps.uploads.get('key-1', id)).toMatchObject({ status: 'completed' });
    const { file } = await service.client().uploads.complete(id, { part_ids });
    expect(await (await service.client().files.content(file?.id ?? '')).text()).toBe(TEXT);
  });

  it('leaves the rest to a step when the time is over', async () => {
    const { id, part_ids } = await parted();
    let now = 0;
    const gateway = await service.start({ timer: () => (now += 10_000) });
    const { file } = await clientOf(gateway).uploads.complete(id, { part_ids });
    expect(file).toMatchObject({ status: 'uploaded' });
    await expect(service.client().files.content(file?.id ?? '')).rejects.toMatchObject({ code: 'FILE_NOT_READY' });
    // Asked for again it waits for that step.
    expect((await service.client().uploads.complete(id, { part_ids })).file).toMatchObject({ status: 'uploaded' });
  });

  it('leaves the rest to a step when S3 fails on the way, and logs why', async () => {
    const { id, part_ids } = await parted();
    const { objects, payloads } = await service.deps.storage();
    const read = () => Promise.reject(new AppError('UNAVAILABLE', 'the payload bucket is unavailable right now'));
    const gateway = await service.start({ storage: async () => ({ objects: { ...objects, read }, payloads }) });
    const { file } = await clientOf(gateway).uploads.complete(id, { part_ids });
    expect(file).toMatchObject({ status: 'uploaded' });
    expect(service.log.at(-1)).toMatchObject({
      level: 'WARN',
      status: 200,
      notes: [{ message: 'the parts are assembled later', code: 'UNAVAILABLE' }],
    });
  });
});

describe('canceling an upload', () => {
  it('deletes the parts, once and again', async () => {
    const { id, part_ids } = await parted();
    expect(await service.client().uploads.cancel(id)).toMatchObject({ id, status: 'cancelled' });
    expect(await service.client().uploads.cancel(id)).toMatchObject({ id, status: 'cancelled' });
    await expect(service.servers.textOf(`chunks/key-1/${id}/${part_ids[0]}`)).rejects.toMatchObject({
      name: 'NoSuchKey',
    });
    await expect(service.client().uploads.complete(id, { part_ids })).rejects.toMatchObject({ code: 'UPLOAD_ENDED' });
  });

  it('states that the upload has failed once its MD5 sum was wrong, when it is completed again or canceled', async () => {
    const { id, part_ids } = await parted();
    const wrong = service.client().uploads.complete(id, { part_ids, md5: '0'.repeat(32) });
    await expect(wrong).rejects.toMatchObject({ code: 'UPLOAD_INCOMPLETE' });
    const message = expect.stringMatching(/the upload has failed, because the MD5 hash .* start another upload$/);
    const again = { status: 409, code: 'UPLOAD_ENDED', message };
    await expect(service.client().uploads.complete(id, { part_ids })).rejects.toMatchObject(again);
    await expect(service.client().uploads.cancel(id)).rejects.toMatchObject(again);
  });

  it('fails with UPLOAD_ENDED once it is completed', async () => {
    const { id, part_ids } = await parted();
    await service.client().uploads.complete(id, { part_ids });
    await expect(service.client().uploads.cancel(id)).rejects.toMatchObject({ status: 409, code: 'UPLOAD_ENDED' });
  });
});

describe('an upload of another key', () => {
  it('does not exist', async () => {
    const { id, part_ids } = await parted();
    const other = service.client('key-2');
    const notFound = { status: 404, code: 'UPLOAD_NOT_FOUND' };
    await expect(part(id, 'x', other)).rejects.toMatchObject(notFound);
    await expect(other.uploads.complete(id, { part_ids })).rejects.toMatchObject(notFound);
    await expect(other.uploads.cancel(id)).rejects.toMatchObject(notFound);
  });
});
