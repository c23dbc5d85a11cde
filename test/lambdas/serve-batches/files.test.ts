import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { toFile } from 'openai';
import { MAX_FORM_BYTES } from '../../../core/files/limits.ts';
import { linesOf, MAX_FILE_BYTES, type Service, startService } from './service.ts';

let service: Service;

beforeAll(async () => {
  service = await startService();
});

afterAll(() => service.close());

const upload = (name = 'requests.jsonl', text = linesOf(3), apiKey?: string) =>
  toFile(Buffer.from(text), name).then((file) => service.client(apiKey).files.create({ file, purpose: 'batch' }));

/** The response to a request that creates a file before its bytes are sent. OpenAI's client has no method for it. */
interface Declared {
  readonly id: string;
  readonly status: string;
  readonly upload_url: string;
}

const declare = (bytes: number, filename = 'large.jsonl') =>
  service.client().post<Declared>('/files', { body: { filename, purpose: 'batch', bytes } });

const json = (body: unknown) => ({
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', 'x-api-key': 'key-1' },
});

const form = (fields: Record<string, string | Blob>, filename = 'a.jsonl') => {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === 'string') body.append(name, value);
    else body.append(name, value, filename);
  }
  return { body, headers: { 'x-api-key': 'key-1' } };
};

describe('POST /v1/files with a form', () => {
  it('stores the file, and describes it in OpenAI’s format', async () => {
    const file = await upload();
    expect(file).toEqual({
      id: expect.stringMatching(/^file-[0-9a-z]{26}$/),
      object: 'file',
      bytes: linesOf(3).length,
      created_at: 1_750_000_000,
      expires_at: 1_750_000_000 + 30 * 86_400,
      filename: 'requests.jsonl',
      purpose: 'batch',
      status: 'processed',
    });
    expect(await service.client().files.retrieve(file.id)).toEqual(file);
  });

  it('returns every byte by a redirect that the client follows, under the name of the file', async () => {
    const text = `${linesOf(2)}"ü\u0000\r\n--boundary"\n`;
    const { id } = await upload('fälle, 1.jsonl', text);
    expect(await (await service.client().files.content(id)).text()).toBe(text);
    const answer = await service.send('GET', `/v1/files/${id}/content`, { headers: { 'x-api-key': 'key-1' } });
    const { searchParams } = new URL(answer.headers.get('location') ?? '');
    expect(searchParams.get('response-content-disposition')).toContain("filename*=UTF-8''f%C3%A4lle%2C%201.jsonl");
    expect((await service.client().files.retrieve(id)).filename).toBe('fälle, 1.jsonl');
  });

  it('lets no cache keep the address of the bytes', async () => {
    const { id } = await upload();
    const answer = await service.send('GET', `/v1/files/${id}/content`, { headers: { 'x-api-key': 'key-1' } });
    expect(answer.status).toBe(302);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(new URL(answer.headers.get('location') ?? '').searchParams.get('X-Amz-Expires')).toBe('300');
  });

  it('lets a file expire when its owner said so', async () => {
    const file = await toFile(Buffer.from('{}\n'), 'short.jsonl');
    const expiry = { anchor: 'created_at', seconds: 3600 } as const;
    const created = await service.client().files.create({ file, purpose: 'user_data', expires_after: expiry });
    expect(created.expires_at).toBe(created.created_at + 3600);
    service.clock.nowMs += 3_600_000;
    await expect(service.client().files.retrieve(created.id)).rejects.toMatchObject({ status: 404 });
  });

  it.each([
    ['EMPTY_FILE', 'the file is empty', { file: new Blob([]), purpose: 'batch' }],
    ['INVALID_BODY', 'the form must contain the field file', { purpose: 'batch' }],
    ['INVALID_BODY', 'purpose: must be one of batch, user_data', { file: new Blob(['x']), purpose: 'fine-tune' }],
    ['INVALID_BODY', 'purpose: is missing', { file: new Blob(['x']) }],
    ['INVALID_BODY', 'the file must come in the field file', { data: new Blob(['x']), purpose: 'batch' }],
    ['INVALID_BODY', 'got more', { file: new Blob(['x']), other: new Blob(['y']), purpose: 'batch' }],
    ['INVALID_BODY', 'a field holds more than 4096 bytes', { file: new Blob(['x']), purpose: 'p'.repeat(5000) }],
    [
      'INVALID_BODY',
      'expires_after.seconds: must be a whole number from 3600 to 2592000',
      {
        file: new Blob(['x']),
        purpose: 'batch',
        'expires_after[anchor]': 'created_at',
        'expires_after[seconds]': '12',
      },
    ],
    [
      'INVALID_BODY',
      'expires_after.seconds: must be a whole number',
      {
        file: new Blob(['x']),
        purpose: 'batch',
        'expires_after[anchor]': 'created_at',
        'expires_after[seconds]': 'soon',
      },
    ],
  ])('fails with %s when %s', async (code, detail, fields) => {
    const answer = await service.send('POST', '/v1/files', form(fields));
    const problem = (await answer.json()) as { code: string; detail: string };
    expect(problem.code).toBe(code);
    expect(problem.detail).toContain(detail);
  });

  it.each(['model', '__proto__[status]'])(
    'ignores the field %s, which a later version of the API may have',
    async (name) => {
      const fields = { file: new Blob(['x']), purpose: 'batch', [name]: 'error' };
      const answer = await service.send('POST', '/v1/files', form(fields));
      expect(await answer.json()).toMatchObject({ object: 'file', status: 'processed' });
    },
  );

  it('fails with INVALID_BODY when the form holds too many fields', async () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`field-${index}`, 'x']));
    const answer = await service.send('POST', '/v1/files', form(many));
    expect(await answer.json()).toMatchObject({ code: 'INVALID_BODY', detail: 'the form holds more than 20 fields' });
  });

  it.each([
    ['has no boundary', 'multipart/form-data', 'x'],
    [
      'is cut off',
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc',
    ],
    ['is not a form', 'multipart/form-data; boundary=b', 'just text'],
    ['is empty', 'multipart/form-data; boundary=b', ''],
  ])('fails with INVALID_BODY when the body %s', async (_, contentType, body) => {
    const headers = { 'content-type': contentType, 'x-api-key': 'key-1' };
    const answer = await service.send('POST', '/v1/files', { body, headers });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: 'INVALID_BODY' });
  });

  it('fails with UNSUPPORTED_MEDIA_TYPE when the body is neither a form nor JSON', async () => {
    const headers = { 'content-type': 'text/csv', 'x-api-key': 'key-1' };
    const answer = await service.send('POST', '/v1/files', { body: 'a,b', headers });
    expect(answer.status).toBe(415);
  });

  it('fails with BODY_TOO_LARGE, naming both ways for larger files', async () => {
    const failure = upload('large.jsonl', 'x'.repeat(MAX_FORM_BYTES)).catch((error: unknown) => error);
    const message = expect.stringMatching(
      /in parts of 4680000 bytes or less with \/v1\/uploads .*part_size=4_000_000\), or POST .* upload_url/,
    );
    expect(await failure).toMatchObject({ status: 413, code: 'BODY_TOO_LARGE', message });
  });

  it('fails with FILE_TOO_LARGE beyond the limit of the deployment', async () => {
    const gateway = await service.start({ settings: { ...service.deps.settings, maxFileBytes: 10 } });
    const body = form({ file: new Blob(['x'.repeat(11)]), purpose: 'batch' });
    const answer = await fetch(`${gateway.url}/v1/files`, { method: 'POST', ...body });
    expect(answer.status).toBe(413);
    expect(await answer.json()).toMatchObject({
      code: 'FILE_TOO_LARGE',
      detail: 'the file has more than 10 bytes, which are the maximum; send several smaller files',
    });
  });
});

describe('POST /v1/files with JSON', () => {
  it('waits for the bytes at a presigned URL, and shows when they have arrived', async () => {
    const declared = await declare(12);
    expect(declared).toMatchObject({ status: 'pending', bytes: 12, filename: 'large.jsonl' });
    expect(new URL(declared.upload_url).searchParams.get('X-Amz-SignedHeaders')).toBe('content-length;host');
    const pending = await service.client().files.retrieve(declared.id);
    expect(pending).toMatchObject({ status: 'pending' });
    expect(pending).not.toHaveProperty('upload_url');
    await expect(service.client().files.content(declared.id)).rejects.toMatchObject({
      code: 'FILE_NOT_READY',
      status: 409,
    });
    expect((await fetch(declared.upload_url, { method: 'PUT', body: 'twelve bytes' })).status).toBe(200);
    expect(await service.client().files.retrieve(declared.id)).toMatchObject({ status: 'processed', bytes: 12 });
    expect(await (await service.client().files.content(declared.id)).text()).toBe('twelve bytes');
  });

  it('shows in a list too that the bytes are there', async () => {
    service.clock.nowMs += 1000;
    const { id, upload_url } = await declare(3);
    await fetch(upload_url, { method: 'PUT', body: 'abc' });
    const { data } = await service.client().files.list({ limit: 1 });
    expect(data).toMatchObject([{ id, status: 'processed' }]);
  });

  it('fails a file whose bytes did not arrive in time', async () => {
    const { id } = await declare(3);
    service.clock.nowMs += 3_600_000;
    expect(await service.client().files.retrieve(id)).toMatchObject({
      status: 'error',
      status_details: 'the bytes of the file did not arrive in time',
    });
    await expect(service.client().files.content(id)).rejects.toMatchObject({ code: 'UPLOAD_EXPIRED', status: 410 });
    service.clock.nowMs += 3_600_000;
    expect(await service.client().files.retrieve(id)).toMatchObject({ status: 'error' });
    expect(await service.deps.files.get('key-1', id)).toMatchObject({ status: 'error' });
  });

  it('accepts bytes that arrived in time, even if they are checked later', async () => {
    const { id, upload_url } = await declare(3);
    await fetch(upload_url, { method: 'PUT', body: 'abc' });
    service.clock.nowMs += 3 * 3_600_000;
    expect(await service.client().files.retrieve(id)).toMatchObject({ status: 'processed' });
  });

  it.each([
    ['INVALID_BODY', { filename: 'a', purpose: 'batch' }],
    ['INVALID_BODY', { filename: 'a', purpose: 'batch', bytes: 0 }],
    ['INVALID_BODY', { filename: 'a\nb', purpose: 'batch', bytes: 1 }],
    ['INVALID_BODY', []],
    ['FILE_TOO_LARGE', { filename: 'a', purpose: 'batch', bytes: MAX_FILE_BYTES + 1 }],
  ])('fails with %s for %j', async (code, body) => {
    const answer = await service.send('POST', '/v1/files', json(body));
    expect(await answer.json()).toMatchObject({ code });
  });

  it('fails with FILE_TOO_LARGE beyond the limit of one URL, and names uploads in parts', async () => {
    const gateway = await service.start({ settings: { ...service.deps.settings, maxFileBytes: 2 ** 40 } });
    gateway.stageVariables = { plan_0: 'large:keys=key-1&fileBytes=1000000000000' };
    const body = json({ filename: 'a', purpose: 'batch', bytes: 6 * 2 ** 30 });
    const answer = await fetch(`${gateway.url}/v1/files`, { method: 'POST', ...body });
    const detail = expect.stringContaining('in parts with /v1/uploads');
    expect(await answer.json()).toMatchObject({ code: 'FILE_TOO_LARGE', detail });
  });

  it('fails with INVALID_JSON when the body is not JSON', async () => {
    const answer = await service.send('POST', '/v1/files', { ...json(''), body: '{' });
    expect(await answer.json()).toMatchObject({ code: 'INVALID_JSON' });
  });
});

describe('GET /v1/files', () => {
  it('walks through all files page by page, newest first or oldest first', async () => {
    const made: string[] = [];
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      service.clock.nowMs += 1000;
      made.push((await upload(`${name}.jsonl`, '{}\n', 'key-of-pages')).id);
    }
    const walk = async (order: 'asc' | 'desc') => {
      const ids: string[] = [];
      for await (const file of service.client('key-of-pages').files.list({ limit: 2, order })) ids.push(file.id);
      return ids;
    };
    expect(await walk('asc')).toEqual(made);
    expect(await walk('desc')).toEqual([...made].reverse());
  });

  it('shows the files of one purpose', async () => {
    const client = service.client('key-of-purposes');
    const create = async (purpose: 'batch' | 'user_data') =>
      client.files.create({ file: await toFile(Buffer.from('x'), 'x'), purpose });
    const [, data] = [await create('batch'), await create('user_data')];
    expect((await client.files.list({ purpose: 'user_data' })).data).toEqual([data]);
    expect((await client.files.list({ purpose: 'batch_output' })).data).toEqual([]);
  });

  it.each([
    ['limit', { limit: 0 }],
    ['order', { order: 'up' as 'asc' }],
    ['purpose', { purpose: 'evals' }],
    ['after', { after: 'batch_1' }],
    ['after', { after: 'file-/../1' }],
  ])('fails with INVALID_PARAMETER when %s is %j', async (param, query) => {
    const list = service.client().files.list(query);
    await expect(list).rejects.toMatchObject({ status: 400, code: 'INVALID_PARAMETER', param });
  });
});

describe('DELETE /v1/files/{id}', () => {
  it('deletes record and bytes', async () => {
    const { id } = await upload();
    expect(await service.client().files.delete(id)).toEqual({ id, object: 'file', deleted: true });
    await expect(service.client().files.retrieve(id)).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(service.servers.textOf(`files/key-1/${id}`)).rejects.toMatchObject({ name: 'NoSuchKey' });
  });
});

describe('a file of another key', () => {
  it('does not exist', async () => {
    const { id } = await upload();
    const { files } = service.client('key-2');
    const notFound = { status: 404, code: 'FILE_NOT_FOUND' };
    await expect(files.retrieve(id)).rejects.toMatchObject(notFound);
    await expect(files.content(id)).rejects.toMatchObject(notFound);
    await expect(files.delete(id)).rejects.toMatchObject(notFound);
    expect((await files.list()).data).toEqual([]);
    expect(await service.client().files.retrieve(id)).toMatchObject({ id });
  });
});
