import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import type { APIGatewayRequestAuthorizerEvent } from 'aws-lambda';
import { KEY_HEADERS, type KeyHeader } from '../../../core/identity/credentials.ts';
import { createHandler } from '../../../lambdas/authorize/handler.ts';

const KEY = 'tDu7GUL3vQx1Zr9mK2bNw8sYc5HfJp0aEeLkXi4o';
const SUCCESSOR = 'aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1zA2bC3d';
const METHOD_ARN = 'arn:aws:execute-api:eu-west-1:111111111111:a1b2c3d4e5/prod/POST/v1/models/minilm:predict';

/** Calls the built function with a known and with an unknown key. */
const CALLS = `
const { handler } = await import('./dist/functions/authorize/index.mjs');
const event = JSON.parse(process.env.EVENT);
await handler(event);
await handler({ ...event, headers: { 'x-api-key': 'unknown' } }).catch(() => undefined);`;

const hashOf = (key: string) => createHash('sha256').update(key).digest('base64url');

const VARIABLES = {
  tenant_acme: 'acme:idsuccesso',
  keys_0: `idfirstkey=${hashOf(KEY)}`,
  keys_1: `idsuccesso=${hashOf(SUCCESSOR)},idbroken00=short,=${hashOf('')}`,
};

function event(
  headers: Record<string, string> | null,
  stageVariables: Record<string, string> | null = VARIABLES,
): APIGatewayRequestAuthorizerEvent {
  return {
    type: 'REQUEST',
    methodArn: METHOD_ARN,
    resource: '/v1/models/minilm:predict',
    path: '/v1/models/minilm:predict',
    httpMethod: 'POST',
    headers,
    multiValueHeaders: null,
    pathParameters: null,
    queryStringParameters: null,
    multiValueQueryStringParameters: null,
    stageVariables,
    requestContext: {} as APIGatewayRequestAuthorizerEvent['requestContext'],
  };
}

function authorize(headers: Record<string, string> | null, accepted: readonly KeyHeader[] = KEY_HEADERS) {
  return createHandler({ acceptedHeaders: accepted })(event(headers));
}

describe('a request with a known key', () => {
  it.each<[string, Record<string, string>]>([
    ['a bearer token', { Authorization: `Bearer ${KEY}` }],
    ['a bearer token in HTTP/2’s lower case', { authorization: `bearer  ${KEY} ` }],
    ['x-api-key', { 'X-API-Key': KEY }],
    ['x-api-key beside a token of another kind', { 'x-api-key': KEY, Authorization: 'Bearer unused' }],
    ['a bearer token beside a wrong x-api-key', { 'x-api-key': 'unused', Authorization: `Bearer ${KEY}` }],
  ])('is admitted by %s', async (_, headers) => {
    await expect(authorize(headers)).resolves.toEqual({
      principalId: 'idfirstkey',
      policyDocument: {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Action: 'execute-api:Invoke',
            Resource: 'arn:aws:execute-api:eu-west-1:111111111111:a1b2c3d4e5/prod/*',
          },
        ],
      },
      context: { tenant: 'idfirstkey', credential: 'key' },
      usageIdentifierKey: KEY,
    });
  });

  it('belongs to the tenant of the key', async () => {
    const { context, usageIdentifierKey } = await authorize({ 'x-api-key': SUCCESSOR });
    expect([context?.['tenant'], usageIdentifierKey]).toEqual(['acme', SUCCESSOR]);
  });

  it('belongs to the plan of the key', async () => {
    const attempt = createHandler({ acceptedHeaders: KEY_HEADERS });
    const { context } = await attempt(event({ 'x-api-key': KEY }, { ...VARIABLES, plan_0: 'free:keys=idfirstkey' }));
    expect(context).toEqual({ tenant: 'idfirstkey', plan: 'free', credential: 'key' });
  });

  it('is admitted from the moment the stage has the hash, and refused once it has not', async () => {
    const handler = createHandler({ acceptedHeaders: KEY_HEADERS });
    const headers = { 'x-api-key': SUCCESSOR };
    const before = { keys_0: VARIABLES.keys_0 };
    await expect(handler(event(headers, before))).rejects.toThrow('Unauthorized');
    await expect(handler(event(headers))).resolves.toBeDefined();
    await expect(handler(event(headers, before))).rejects.toThrow('Unauthorized');
  });
});

describe('any other request', () => {
  it.each<[string, Record<string, string> | null, (readonly KeyHeader[])?]>([
    ['without headers', null],
    ['without a key', { accept: '*/*' }],
    ['with empty headers', { authorization: '', 'x-api-key': '' }],
    ['with a scheme and no key', { authorization: 'Bearer' }],
    ['with a key and no scheme', { authorization: KEY }],
    ['with another scheme', { authorization: `Basic ${KEY}` }],
    ['with two keys in one header', { authorization: `Bearer ${KEY} ${KEY}` }],
    ['with a part of a key', { 'x-api-key': KEY.slice(1) }],
    ['with more than a key', { 'x-api-key': `${KEY}x` }],
    ['with the hash of a key', { 'x-api-key': hashOf(KEY) }],
    ['with the id of a key', { 'x-api-key': 'idfirstkey' }],
  ])('%s is refused by the one message that means 401', async (_, headers) => {
    await expect(authorize(headers)).rejects.toThrow(/^Unauthorized$/);
  });

  it('is refused if its key is in a header that the deployment does not accept', async () => {
    await expect(authorize({ authorization: `Bearer ${KEY}` }, ['x-api-key'])).rejects.toThrow('Unauthorized');
    await expect(authorize({ 'x-api-key': KEY }, ['bearer'])).rejects.toThrow('Unauthorized');
  });

  it.each([[null], [{}], [{ keys_0: '' }]])('fails with another message when the stage has no hashes', async (none) => {
    const attempt = createHandler({ acceptedHeaders: KEY_HEADERS })(event({ 'x-api-key': KEY }, none));
    await expect(attempt).rejects.toThrow('the stage has no variables with hashes of API keys');
  });

  it.each(['idfirstkey', 'idfirstkey=', `=${hashOf('')}`, 'idfirstkey={{placeholder}}'])(
    'is refused when the stage variable %s holds no hash',
    async (keys) => {
      const attempt = createHandler({ acceptedHeaders: KEY_HEADERS })(event({ 'x-api-key': KEY }, { keys_0: keys }));
      await expect(attempt).rejects.toThrow('Unauthorized');
    },
  );
});

describe('the authorizer', () => {
  it('writes nothing, and no error holds a key', async () => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', CALLS], {
      env: {
        TENSORGATE_ACCEPTED_HEADERS: JSON.stringify(KEY_HEADERS),
        EVENT: JSON.stringify(event({ 'x-api-key': KEY })),
      },
    });
    expect([stdout, stderr]).toEqual(['', '']);
    const error: Error = await authorize({ 'x-api-key': 'sk-secret', authorization: 'Bearer sk-secret' }).then(
      () => new Error('admitted'),
      (cause) => cause,
    );
    expect(`${error.message}${error.stack}`).not.toContain('sk-secret');
  });

  it('is smaller than 20 KB and loads nothing later', () => {
    const report = JSON.parse(readFileSync('dist/functions/authorize/bundle.json', 'utf8'));
    expect(report.coldPathBytes).toBeLessThan(20_000);
    expect(report.lazyBytes).toBe(0);
  });

  it('has no dependencies but Node itself', () => {
    const bundle = readFileSync('dist/functions/authorize/index.mjs', 'utf8');
    const imported = Array.from(bundle.matchAll(/\bfrom\s*["']([^"']+)["']/g), ([, name]) => name);
    expect(imported.every((name) => name?.startsWith('node:'))).toBe(true);
    expect(bundle).not.toContain('node_modules');
  });
});
