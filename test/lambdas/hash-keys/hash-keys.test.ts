import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import type { CloudFormationCustomResourceEvent } from 'aws-lambda';
import { KEYS_PER_VARIABLE, MAX_VARIABLE_LENGTH, renderKeyHashes } from '../../../core/identity/key-hashes.ts';
import { openApiKeys } from '../../../lambdas/hash-keys/api-keys.ts';
import { createHandler } from '../../../lambdas/hash-keys/handler.ts';

const VALUES: Readonly<Record<string, string>> = { id1: 'first secret', id2: 'second secret' };
const hashOf = (key: string) => createHash('sha256').update(key).digest('base64url');

const SETTINGS = {
  endpoint: 'https://apigateway.eu-west-1.amazonaws.com',
  region: 'eu-west-1',
  credentials: { accessKeyId: 'AKIA', secretAccessKey: 'secret', sessionToken: 'token' },
};

interface Sent {
  readonly url: string;
  readonly init: RequestInit | undefined;
}

/** An HTTP client that records its requests. */
function recorded(respond: (sent: Sent, index: number) => Response) {
  const sent: Sent[] = [];
  const send: typeof fetch = async (url, init) => {
    const one = { url: String(url), init };
    sent.push(one);
    return respond(one, sent.length - 1);
  };
  return { sent, send };
}

const keyResponse = ({ url }: Sent): Response => {
  const id = /apikeys\/(\w+)/.exec(url)?.[1] ?? '';
  return VALUES[id] === undefined
    ? Response.json({ message: 'no' }, { status: 404 })
    : Response.json({ id, value: VALUES[id] });
};

function event(
  type: 'Create' | 'Update' | 'Delete',
  keyIds: unknown = ['id1', 'id2'],
): CloudFormationCustomResourceEvent {
  const common = {
    ServiceToken: 'arn',
    ResponseURL: 'https://responses.example/signed?a=b',
    StackId: 'stack',
    RequestId: 'request',
    LogicalResourceId: 'Hashes0',
    ResourceType: 'Custom::TensorgateKeyHashes',
    ResourceProperties: { ServiceToken: 'arn', KeyIds: keyIds },
  };
  if (type === 'Create') return { ...common, RequestType: type };
  if (type === 'Delete') return { ...common, RequestType: type, PhysicalResourceId: 'old' };
  return { ...common, RequestType: type, PhysicalResourceId: 'old', OldResourceProperties: { ServiceToken: 'arn' } };
}

async function run(one: CloudFormationCustomResourceEvent, readKey?: (id: string) => Promise<string>) {
  const { sent, send } = recorded(() => new Response());
  await createHandler({ readKey: readKey ?? (async (id) => VALUES[id] ?? ''), fetch: send })(one);
  const [response] = sent;
  return { response, body: JSON.parse(String(response?.init?.body)) };
}

describe('the custom resource of hashes', () => {
  it('returns the hash of each key, and never the key', async () => {
    const { response, body } = await run(event('Create'));
    expect(body).toEqual({
      Status: 'SUCCESS',
      Data: { Hashes: `id1=${hashOf('first secret')},id2=${hashOf('second secret')}` },
      StackId: 'stack',
      RequestId: 'request',
      LogicalResourceId: 'Hashes0',
      PhysicalResourceId: 'Hashes0',
    });
    expect(response).toMatchObject({ url: 'https://responses.example/signed?a=b', init: { method: 'PUT' } });
    // CloudFormation signs the URL for a request without a content type.
    expect(new Request('https://x.example', response?.init).headers.get('content-type')).toBeNull();
  });

  it('stays the same resource when its keys change', async () => {
    expect((await run(event('Update', ['id2']))).body).toMatchObject({
      PhysicalResourceId: 'old',
      Data: { Hashes: `id2=${hashOf('second secret')}` },
    });
  });

  it('reads no key when it is deleted', async () => {
    const { body } = await run(event('Delete'), () => Promise.reject(new Error('must not be called')));
    expect(body).toMatchObject({ Status: 'SUCCESS', PhysicalResourceId: 'old' });
  });

  it('reports a failure, because CloudFormation would wait an hour for a response', async () => {
    const { body } = await run(event('Create'), () => Promise.reject(new Error('no permission')));
    expect(body).toMatchObject({ Status: 'FAILED', Reason: 'no permission', PhysicalResourceId: 'Hashes0' });
    expect((await run(event('Create', 'id1'))).body).toMatchObject({ Status: 'FAILED', Reason: /KeyIds/ as never });
  });

  it('fits the value of a stage variable, and holds only characters that one may have', () => {
    const full = renderKeyHashes(
      Array.from({ length: KEYS_PER_VARIABLE }, (_, index) => ({
        id: `abcdefghi${index}`,
        hash: hashOf(String(index)),
      })),
    );
    expect(full.length).toBeLessThanOrEqual(MAX_VARIABLE_LENGTH);
    expect(full).toMatch(/^[A-Za-z0-9\-._~:/?#&=,]+$/);
  });
});

describe('the value of an API key', () => {
  it('is read with a signed request for plain JSON', async () => {
    const { sent, send } = recorded(keyResponse);
    await expect(openApiKeys({ settings: SETTINGS, fetch: send, wait: async () => {} })('id1')).resolves.toBe(
      'first secret',
    );
    const [request] = sent;
    expect(request?.url).toBe('https://apigateway.eu-west-1.amazonaws.com/apikeys/id1?includeValue=true');
    const headers = new Headers(request?.init?.headers);
    expect(headers.get('accept')).toBe('application/json');
    expect(headers.get('x-amz-security-token')).toBe('token');
    expect(headers.get('authorization')).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKIA\/\d{8}\/eu-west-1\/apigateway\/aws4_request/,
    );
  });

  it('is requested again while API Gateway throttles, with waits that double', async () => {
    const waits: number[] = [];
    const { send } = recorded((sent, index) => {
      if (index === 0) throw new TypeError('fetch failed');
      return index < 3 ? new Response('', { status: index === 1 ? 429 : 503 }) : keyResponse(sent);
    });
    const read = openApiKeys({ settings: SETTINGS, fetch: send, wait: async (ms) => void waits.push(ms) });
    await expect(read('id2')).resolves.toBe('second secret');
    expect(waits).toEqual([250, 500, 1000]);
  });

  it('fails after the last attempt, or immediately if another attempt cannot help', async () => {
    const throttled = recorded(() => new Response('', { status: 429 }));
    const wait = async () => {};
    await expect(openApiKeys({ settings: SETTINGS, fetch: throttled.send, wait })('id1')).rejects.toThrow(
      /429 for the key id1/,
    );
    expect(throttled.sent).toHaveLength(8);
    const unknown = recorded(keyResponse);
    await expect(openApiKeys({ settings: SETTINGS, fetch: unknown.send, wait })('id9')).rejects.toThrow(
      /404 and no value/,
    );
    expect(unknown.sent).toHaveLength(1);
  });
});
