import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { AwsJsonError } from '../../../../lambdas/shared/aws/aws-json.ts';
import { dynamoDbSettings, openDynamoDb } from '../../../../lambdas/shared/aws/dynamodb.ts';
import { clientFor, startDynamoDb, startServer, TABLE, type TestServer } from '../results/dynamodb-server.ts';

const VARIABLES = { AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' };
const PROBE = { RequestItems: { [TABLE]: { Keys: [{ fingerprint: { S: 'a' } }] } } };

describe('dynamoDbSettings', () => {
  it('reads what Lambda sets', () => {
    expect(dynamoDbSettings({ ...VARIABLES, AWS_SESSION_TOKEN: 'token' })).toEqual({
      endpoint: 'https://dynamodb.eu-central-1.amazonaws.com',
      region: 'eu-central-1',
      credentials: { accessKeyId: 'key', secretAccessKey: 'secret', sessionToken: 'token' },
    });
    expect(dynamoDbSettings({ ...VARIABLES, AWS_REGION: 'cn-north-1' }).endpoint).toBe(
      'https://dynamodb.cn-north-1.amazonaws.com.cn',
    );
  });

  it('prefers the endpoint of DynamoDB to that of all services', () => {
    const all = { ...VARIABLES, AWS_ENDPOINT_URL: 'http://127.0.0.1:1' };
    expect(dynamoDbSettings(all).endpoint).toBe('http://127.0.0.1:1');
    const own = { ...all, AWS_ENDPOINT_URL_DYNAMODB: 'http://127.0.0.1:2' };
    expect(dynamoDbSettings(own).endpoint).toBe('http://127.0.0.1:2');
  });

  it('names the variable that is missing', () => {
    expect(() => dynamoDbSettings({ ...VARIABLES, AWS_ACCESS_KEY_ID: '' })).toThrow('AWS_ACCESS_KEY_ID is not set');
  });
});

describe('openDynamoDb', () => {
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(closers.splice(0).map((close) => close()));
  });
  const started = async (server: Promise<TestServer>) => {
    const running = await server;
    closers.push(running.close);
    return running;
  };

  /** An HTTP server that answers every request with an empty object. */
  const startHttp = async (onRequest: (request: IncomingMessage, count: number) => void) => {
    let count = 0;
    const server = createServer((request, response) => {
      request.resume().on('end', () => {
        count += 1;
        onRequest(request, count);
        if (!request.socket.destroyed) response.end('{}');
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closers.push(async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    });
    return clientFor(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  };

  it('calls an operation, and keeps its connection', async () => {
    const ports = new Set<unknown>();
    const settings = await startHttp((request) => ports.add(request.socket.remotePort));
    const dynamoDb = openDynamoDb(() => settings);
    for (let call = 0; call < 3; call++) expect(await dynamoDb.call('BatchGetItem', PROBE)).toEqual({});
    expect(ports.size).toBe(1);
  });

  it('signs a request with the session token, for its region and service', async () => {
    let headers: IncomingMessage['headers'] = {};
    const { endpoint } = await startHttp((request) => {
      headers = request.headers;
    });
    const variables = { ...VARIABLES, AWS_SESSION_TOKEN: 'token', AWS_ENDPOINT_URL: endpoint };
    await openDynamoDb(() => dynamoDbSettings(variables)).call('BatchGetItem', PROBE);
    expect(headers).toMatchObject({
      'x-amz-target': 'DynamoDB_20120810.BatchGetItem',
      'x-amz-security-token': 'token',
      'content-type': 'application/x-amz-json-1.0',
      'content-length': String(JSON.stringify(PROBE).length),
    });
    expect(headers.authorization).toMatch(
      /^AWS4-HMAC-SHA256 Credential=key\/\d{8}\/eu-central-1\/dynamodb\/aws4_request, SignedHeaders=\S*x-amz-target, Signature=[0-9a-f]{64}$/,
    );
  });

  it('sends a request again when the service has closed the kept connection', async () => {
    let attempts = 0;
    const settings = await startHttp((request, count) => {
      attempts = count;
      if (count === 2) request.socket.resetAndDestroy();
    });
    const dynamoDb = openDynamoDb(() => settings);
    await dynamoDb.call('BatchGetItem', PROBE);
    expect(await dynamoDb.call('BatchGetItem', PROBE)).toEqual({});
    expect(attempts).toBe(3);
  });

  it('does not send a request again when a new connection fails', async () => {
    let attempts = 0;
    const settings = await startHttp((request, count) => {
      attempts = count;
      request.socket.resetAndDestroy();
    });
    await expect(openDynamoDb(() => settings).call('BatchGetItem', PROBE)).rejects.toHaveProperty('code', 'ECONNRESET');
    expect(attempts).toBe(1);
  });

  it('rejects with the name of the error in the API reference', async () => {
    const { settings } = await started(startDynamoDb());
    const call = openDynamoDb(() => settings).call('BatchGetItem', { RequestItems: { none: { Keys: [] } } });
    await expect(call).rejects.toBeInstanceOf(AwsJsonError);
    await expect(call).rejects.toHaveProperty('name', expect.stringMatching(/Exception$/));
  });

  it('rejects with the status when a gateway in between responds', async () => {
    const { settings } = await started(startServer((_, __, response) => void response.writeHead(502).end('<html>')));
    await expect(openDynamoDb(() => settings).call('BatchGetItem', PROBE)).rejects.toMatchObject({ name: 'Status502' });
  });

  it('gives up a connection that stays silent', async () => {
    const { settings } = await started(startServer(() => undefined));
    await expect(openDynamoDb(() => settings).call('BatchGetItem', PROBE)).rejects.toHaveProperty(
      'name',
      'TimeoutError',
    );
  });

  it('reads the settings again when they were not there', async () => {
    const { settings } = await started(startServer((_, __, response) => void response.end('{}')));
    const attempts = [
      () => {
        throw new Error('no credentials');
      },
      () => settings,
    ];
    const dynamoDb = openDynamoDb(() => (attempts.shift() ?? (() => settings))());
    await expect(dynamoDb.call('BatchGetItem', PROBE)).rejects.toThrow('no credentials');
    expect(await dynamoDb.call('BatchGetItem', PROBE)).toEqual({});
  });

  it("calls without loading Node's client of fetch, which a cold start would pay for", () => {
    const client = new URL('../../../../lambdas/shared/aws/dynamodb.ts', import.meta.url).href;
    const program = `
      const { openDynamoDb } = await import(${JSON.stringify(client)});
      const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' };
      const dynamoDb = openDynamoDb(() => ({ endpoint: 'http://127.0.0.1:1', region: 'eu-central-1', credentials }));
      const code = await dynamoDb.call('BatchGetItem', {}).catch((error) => error.code);
      console.log(code, process.moduleLoadList.some((name) => name.includes('undici/undici')));`;
    const options = { encoding: 'utf8' } as const;
    expect(execFileSync(process.execPath, ['--input-type=module', '--eval', program], options).trim()).toBe(
      'ECONNREFUSED false',
    );
  });
});
