import { describe, expect, it } from '@jest/globals';
import { parseEndpoint } from '../../../core/jobs/job-endpoint.ts';
import { parseJobRequest } from '../../../core/jobs/job-request.ts';

describe('parseJobRequest', () => {
  it.each([
    { endpoint: '/v1/embeddings', body: { input: 'x' } },
    { endpoint: '/v1/embeddings', input_file_id: 'file-abc' },
    { endpoint: '/v2/models/m/infer', input_file_id: 'file-abc', input_media_type: 'application/x-protobuf; a=1' },
    { endpoint: '/v1/embeddings', input_s3: 's3://my-bucket/a/b.json', reply_queue: 'results', event_bus: true },
    { endpoint: '/v1/embeddings', body: {}, webhook_url: 'https://a.example.com/' },
  ])('accepts %j', (request) => {
    expect(parseJobRequest(request)).toEqual(request);
  });

  it.each([
    [{ body: {} }, 'endpoint: is missing'],
    [{ endpoint: 'v1', body: {} }, 'must be the path'],
    [{ endpoint: '/v1/embeddings' }, 'exactly one of body, input_file_id and input_s3'],
    [{ endpoint: '/v1/embeddings', body: {}, input_media_type: 'a/b' }, 'must not have input_media_type beside body'],
    [{ endpoint: '/v1/embeddings', input_file_id: 'file-a', input_media_type: 'json' }, 'a media type'],
    [{ endpoint: '/v1/embeddings', body: {}, input_file_id: 'file-a' }, 'exactly one of'],
    [{ endpoint: '/v1/embeddings', body: [] }, 'must be the JSON object that the route takes'],
    [{ endpoint: '/v1/embeddings', input_s3: 'https://bucket/key' }, 's3://bucket/key'],
    [{ endpoint: '/v1/embeddings', body: {}, webhook_url: 'x' }, 'must be a URL'],
    [{ endpoint: '/v1/embeddings', body: {}, reply_queue: 'No!' }, 'the name of a reply queue'],
    [{ endpoint: '/v1/embeddings', body: {}, callback: 'x' }, 'is not a known key'],
  ])('fails with INVALID_BODY for %j', (request, words) => {
    expect(() => parseJobRequest(request)).toThrow(expect.objectContaining({ code: 'INVALID_BODY' }));
    expect(() => parseJobRequest(request)).toThrow(words);
  });
});

describe('parseEndpoint', () => {
  it.each([
    ['/v1/embeddings', { operation: 'embeddings', task: 'embedding' }],
    ['/v1/models/minilm:predict', { operation: 'predict', model: 'minilm' }],
    ['/v2/models/minilm/infer', { operation: 'infer', model: 'minilm' }],
    ['/v2/models/minilm/versions/12/infer', { operation: 'infer', model: 'minilm', version: '12' }],
  ])('reads %s', (path, endpoint) => {
    expect(parseEndpoint(path)).toEqual(endpoint);
  });

  it.each(['/v1/embeddings/', '/v1/chat/completions', '/v2/models/a/versions/x/infer', '/v1/models/A!:predict', ''])(
    'fails with INVALID_PARAMETER for %s',
    (path) => {
      expect(() => parseEndpoint(path, 'url')).toThrow(
        expect.objectContaining({ code: 'INVALID_PARAMETER', param: 'url' }),
      );
    },
  );
});
