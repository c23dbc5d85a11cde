// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of CloudFormation, IAM and API Gateway
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { compressResponse } from '../../../../local/services/api-gateway/compression.ts';
import {
  clfTime,
  compileHeaderValue,
  compileTemplate,
} from '../../../../local/services/api-gateway/context-template.ts';
import {
  chooseTemplate,
  firstAccepted,
  isBinary,
  mediaTypeOf,
} from '../../../../local/services/api-gateway/media-types.ts';
import { RouteTree } from '../../../../local/services/api-gateway/route-tree.ts';

describe('RouteTree', () => {
  const tree = new RouteTree<string>();
  for (const route of [
    'GET /',
    'GET /v1/models',
    'GET /v1/models/minilm',
    'POST /v1/models/minilm:predict',
    'ANY /v1/models/{model}',
    'POST /v2/models/a/infer',
    'GET /v2/models/a/versions/{version}',
    'ANY /v2/models/{model}/{proxy+}',
  ]) {
    const [method = '', path = ''] = route.split(' ');
    tree.add(path, method, route);
  }

  it.each([
    ['GET', '/', 'GET /', {}],
    ['GET', '', 'GET /', {}],
    ['GET', '/v1/models/minilm', 'GET /v1/models/minilm', {}],
    ['POST', '/v1/models/minilm:predict', 'POST /v1/models/minilm:predict', {}],
    ['POST', '/v1/models/minilm%3Apredict', 'POST /v1/models/minilm:predict', {}],
    ['PUT', '/v1/models/other', 'ANY /v1/models/{model}', { model: 'other' }],
    ['GET', '/v1/models/a%20b', 'ANY /v1/models/{model}', { model: 'a b' }],
    ['GET', '/v2/models/a/versions/3', 'GET /v2/models/a/versions/{version}', { version: '3' }],
    ['GET', '/v2/models/x/y/z', 'ANY /v2/models/{model}/{proxy+}', { model: 'x', proxy: 'y/z' }],
    ['GET', '/v2/models/a/nothing', 'ANY /v2/models/{model}/{proxy+}', { model: 'a', proxy: 'nothing' }],
  ])('finds for %s %s the route %s', (method, path, value, pathParameters) => {
    expect(tree.find(path, method)).toEqual({ value, pathParameters });
  });

  it.each([
    ['POST', '/'],
    ['GET', '/v1'],
    ['GET', '/v1/models/'],
    ['GET', '/v1/models/a/b'],
    ['GET', '/V1/models'],
    ['GET', '/v2/models/a/infer'],
    ['GET', '/v2/models/x/'],
  ])('finds nothing for %s %s', (method, path) => {
    expect(tree.find(path, method)).toBeUndefined();
  });
});

describe('compileTemplate', () => {
  it.each(['plain $ 5 and \\u0024 and #forbidden', '{"a": "100 %"}'])('leaves %s as it is', (source) => {
    expect(compileTemplate(source, 'test')({} as never)).toBe(source);
  });

  it.each([
    '$input.body',
    '#set($x = 1)',
    '#if(true)yes#end',
    '$util.escapeJavaScript("x")',
    '## comment',
    '$context.authorizer.claims.sub',
    '${stageVariables.x}',
  ])('fails with TEMPLATE_INVALID when a template holds %s', (source) => {
    expect(() => compileTemplate(source, 'test')).toThrow(expect.objectContaining({ code: 'TEMPLATE_INVALID' }));
  });

  it('fails with TEMPLATE_INVALID when a header is mapped from anything but a literal or the context', () => {
    expect(() => compileHeaderValue('integration.response.header.x', 'test')).toThrow(
      expect.objectContaining({ code: 'TEMPLATE_INVALID' }),
    );
  });

  it('writes times in the Common Log Format', () => {
    expect(clfTime(Date.parse('2026-11-03T04:05:06Z'))).toBe('03/Nov/2026:04:05:06 +0000');
  });
});

describe('media types', () => {
  it.each([
    [undefined, 'application/json'],
    ['', 'application/json'],
    ['Text/Plain; charset=utf-8', 'text/plain'],
  ])('reads %s as %s', (header, type) => {
    expect(mediaTypeOf(header)).toBe(type);
  });

  it.each([
    ['image/png', ['image/png'], true],
    ['image/png', ['image/*'], true],
    ['image/png', ['*/*'], true],
    ['image/png', ['application/octet-stream'], false],
  ])('says of %s among %j that binary is %s', (type, binary, expected) => {
    expect(isBinary(type, binary)).toBe(expected);
  });

  it('takes the first acceptable type, whatever its weight', () => {
    expect(firstAccepted('image/png;q=0.1, text/html')).toBe('image/png');
    expect(firstAccepted(undefined)).toBeUndefined();
  });

  it('chooses the template that is acceptable, else JSON, else the first', () => {
    expect(chooseTemplate({ 'application/json': 1, 'text/html': 2 }, 'text/html')).toEqual(['text/html', 2]);
    expect(chooseTemplate({ 'text/html': 2, 'application/json': 1 }, '*/*')).toEqual(['application/json', 1]);
    expect(chooseTemplate({ 'text/html': 2 }, 'image/png')).toEqual(['text/html', 2]);
    expect(chooseTemplate({}, 'image/png')).toBeUndefined();
  });
});

describe('compressResponse', () => {
  const answer = { status: 200, headers: [['Content-Type', 'text/plain']] as const, body: Buffer.alloc(100, 'a') };

  it.each([
    ['gzip', 'gzip'],
    ['deflate', 'deflate'],
    ['GZIP', 'gzip'],
    ['gzip, br', 'gzip'],
    ['deflate;q=0.5, gzip', 'gzip'],
    ['br;q=0.5, gzip;q=0.9', 'gzip'],
    ['br, gzip;q=0.9', undefined],
    ['br', undefined],
    ['*', undefined],
    ['identity', undefined],
    ['gzip;q=0', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('responds to Accept-Encoding %s with %s', async (acceptEncoding, coding) => {
    const { headers } = await compressResponse(answer, acceptEncoding, 100);
    expect(headers.find(([name]) => name === 'Content-Encoding')?.[1]).toBe(coding);
  });

  it('compresses a body so that it decompresses to the same bytes', async () => {
    expect(gunzipSync((await compressResponse(answer, 'gzip', 1)).body)).toEqual(answer.body);
  });

  it.each([
    ['the API does not compress', answer, undefined],
    ['the answer is too small', answer, 101],
    ['the answer is empty', { ...answer, body: Buffer.alloc(0) }, 0],
    ['the answer is encoded', { ...answer, headers: [['content-encoding', 'br']] as const }, 1],
  ])('does not change the response when %s', async (_, given, minimum) => {
    expect(await compressResponse(given, 'gzip', minimum)).toBe(given);
  });
});
