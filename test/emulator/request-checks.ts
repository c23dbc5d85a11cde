import { deepStrictEqual as equal, match, ok } from 'node:assert/strict';
import OpenAI from 'openai';
import type { DeployedApi } from './deployed-api.ts';
import type { Report } from './report.ts';

const BODY = { model: 'minilm', input: 'The invoice was paid yesterday.', encoding_format: 'float' };

/** Checks synchronous requests, and the responses that API Gateway gives by itself. */
export async function checkRequests(api: DeployedApi, report: Report): Promise<void> {
  await report.check('a model computes, and the same request again is served from the table of results', async () => {
    const first = await api.call('POST', '/v1/embeddings', { body: BODY });
    const second = await api.call('POST', '/v1/embeddings', { body: BODY });
    equal([first.status, second.status], [200, 200]);
    equal([first.headers.get('x-cache'), second.headers.get('x-cache')], ['MISS', 'HIT']);
    equal(second.json, first.json);
  });
  await report.check('a model computes tensors in the Open Inference Protocol', async () => {
    equal(await api.multiply('times'), 6);
  });
  await report.check(
    'the unchanged client of OpenAI lists models and gets embeddings with the header x-api-key',
    async () => {
      const client = api.openAi();
      const { data } = await client.embeddings.create({ model: 'minilm', input: ['one', 'two'] });
      equal(
        data.map(({ embedding }) => embedding.length),
        [384, 384],
      );
      ok((await client.models.list()).data.some(({ id }) => id === 'minilm'));
    },
  );
  await report.check('the unchanged client of OpenAI gets embeddings with a key as its bearer token', async () => {
    const client = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: api.key, maxRetries: 0 });
    const { data } = await client.embeddings.create({ model: 'minilm', input: 'one' });
    equal(data[0]?.embedding.length, 384);
  });
  await report.check('a wrong key is refused with 401 and a problem document', async () => {
    const { status, json } = await api.call('GET', '/v1/models', { headers: { 'x-api-key': 'wrong' } });
    equal(status, 401);
    equal((json as { code: string }).code, 'UNAUTHORIZED');
  });
  await report.check('a body of the wrong kind is refused with 400 and a problem document', async () => {
    const { status, json } = await api.call('POST', '/v1/embeddings', { body: [1] });
    equal(status, 400);
    equal((json as { code: string }).code, 'INVALID_BODY');
  });
  await report.check('an unknown model is refused with 404 and a problem document', async () => {
    const { status, json } = await api.call('POST', '/v1/embeddings', { body: { ...BODY, model: 'nope' } });
    equal(status, 404);
    equal((json as { code: string }).code, 'MODEL_NOT_FOUND');
  });
  await report.check('an unknown model in a path is refused with 404 and a problem document', async () => {
    const { status, json } = await api.call('GET', '/v2/models/nope');
    equal(status, 404);
    equal((json as { code: string }).code, 'MODEL_NOT_FOUND');
  });
  await report.check('a method that a path does not have is refused with 405', async () => {
    const { status } = await api.call('DELETE', '/v1/embeddings');
    equal(status, 405);
  });
  await report.check('every response has a request id', async () => {
    const { headers } = await api.call('GET', '/v1/models');
    match(headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/);
  });
}
