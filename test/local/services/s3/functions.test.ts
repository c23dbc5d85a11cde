import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { CallFault, LocalFaults } from '../../../../local/aws/faults.ts';
import { type LocalStack, startLocal } from '../../../../local/start.ts';
import { lambdaMethod, removeFolder, temporaryFolder, writeFixtureApp } from '../../fixture-app.ts';

const sdk = (name: string): string => pathToFileURL(createRequire(import.meta.url).resolve(name)).href;

/** Calls S3 with the unmodified SDK, which knows nothing of local mode, and answers what came of it. */
const CALLER = `
import s3 from '${sdk('@aws-sdk/client-s3')}';
import presigner from '${sdk('@aws-sdk/s3-request-presigner')}';
const client = new s3.S3Client({});
export const handler = async ([name, input]) => {
  try {
    if (name === 'environment') return process.env[input];
    if (name === 'presign') {
      const { expiresIn, ...rest } = input;
      return await presigner.getSignedUrl(client, new s3.GetObjectCommand(rest), { expiresIn });
    }
    const { Body } = await client.send(new s3[name + 'Command'](input));
    return Body === undefined ? 'ok' : await Body.transformToString();
  } catch (error) {
    return error.name + ': ' + error.message;
  }
};`;

/** Changed by tests. */
const faults: { -readonly [F in keyof LocalFaults]: LocalFaults[F] } = {};

let folder: string;
let stack: LocalStack;
let lambda: LambdaClient;
let s3: S3Client;

beforeAll(async () => {
  folder = await temporaryFolder();
  const assembly = await writeFixtureApp(folder, {
    functions: {
      Caller: {
        code: CALLER,
        properties: {
          MemorySize: 512,
          Timeout: 30,
          Environment: {
            Variables: {
              BUCKET: { Ref: 'Payloads' },
              DOMAIN: { 'Fn::GetAtt': ['Payloads', 'RegionalDomainName'] },
            },
          },
        },
        statements: [
          {
            Effect: 'Allow',
            Action: ['s3:GetObject', 's3:PutObject'],
            Resource: { 'Fn::Join': ['', [{ 'Fn::GetAtt': ['Payloads', 'Arn'] }, '/jobs/*']] },
          },
        ],
      },
    },
    methods: { 'GET /': lambdaMethod('Caller') },
    resources: {
      Payloads: {
        Type: 'AWS::S3::Bucket',
        Properties: {
          LifecycleConfiguration: {
            Rules: [
              { Id: 'jobs', Prefix: 'jobs/', Status: 'Enabled', ExpirationInDays: 8 },
              { Id: 'off', Prefix: '', Status: 'Disabled', ExpirationInDays: 1 },
              { Id: 'tagged', Status: 'Enabled', ExpirationInDays: 1, TagFilters: [{ Key: 'a', Value: 'b' }] },
            ],
          },
          VersioningConfiguration: { Status: 'Enabled' },
        },
      },
      PayloadsPolicy: {
        Type: 'AWS::S3::BucketPolicy',
        Properties: { Bucket: { Ref: 'Payloads' }, PolicyDocument: { Statement: [] } },
      },
    },
  });
  stack = await startLocal({ assembly, directory: folder, port: 0, maxEnvironments: 1, faults });
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const settings = { endpoint: stack.endpointUrl, region: 'us-east-1', credentials };
  lambda = new LambdaClient(settings);
  s3 = new S3Client(settings);
});

afterAll(async () => {
  lambda.destroy();
  s3.destroy();
  await stack?.stop();
  expect((await readdir(folder)).filter((name) => name.startsWith('objects-'))).toEqual([]);
  await removeFolder(folder);
});

async function invoke(name: string, input: unknown): Promise<unknown> {
  const { Payload: payload } = await lambda.send(
    new InvokeCommand({ FunctionName: 'caller', Payload: JSON.stringify([name, input]) }),
  );
  return JSON.parse(Buffer.from(payload ?? []).toString());
}

async function call(name: string, input: unknown): Promise<string> {
  return String(await invoke(name, input));
}

const Bucket = 'fixture-payloads';

describe('a bucket of the template', () => {
  it('has the names that CloudFormation gives it', async () => {
    expect(await call('environment', 'BUCKET')).toBe(Bucket);
    expect(await call('environment', 'DOMAIN')).toBe(`${Bucket}.s3.us-east-1.amazonaws.com`);
    expect(stack.description.endpoints).toMatchObject({ s3: stack.endpointUrl });
  });

  it('is reached by functions with the SDK as it is, as far as their roles allow', async () => {
    expect(await call('PutObject', { Bucket, Key: 'jobs/a', Body: 'content' })).toBe('ok');
    expect(await call('GetObject', { Bucket, Key: 'jobs/a' })).toBe('content');
    expect(await call('PutObject', { Bucket, Key: 'files/a', Body: 'x' })).toMatch(/^AccessDenied: .*s3:PutObject on/);
    expect(await call('DeleteObject', { Bucket, Key: 'jobs/a' })).toMatch(/^AccessDenied: .*s3:DeleteObject on/);
    expect(await call('ListObjectsV2', { Bucket })).toMatch(/^AccessDenied: .*s3:ListBucket on/);
  });

  it('lists what does not run', () => {
    const reasons = stack.plan.notRun.map(({ resource, reason }) => `${resource}: ${reason}`);
    expect(reasons).toEqual([
      'Payloads: rules of its lifecycle by date, tag or size are not followed here',
      'Payloads: it keeps no versions here',
    ]);
    expect(stack.plan.ignored.map(({ resource }) => resource)).toContain('PayloadsPolicy');
  });
});

/** Makes the next call of an action suffer a fault. */
function injectInto(action: string, fault: CallFault): void {
  const left = [fault];
  faults.onCall = (call) => (call.action === action ? left.shift() : undefined);
}

describe('faults', () => {
  afterEach(() => {
    delete faults.onCall;
  });

  it.each([
    ['kill', 'Runtime.ExitError'],
    ['stall', 'Sandbox.Timedout'],
  ] as const)('%s a function before its call takes effect', async (fault, errorType) => {
    injectInto('s3:PutObject', fault);
    expect(await invoke('PutObject', { Bucket, Key: 'jobs/lost', Body: 'x' })).toMatchObject({ errorType });
    await expect(s3.send(new GetObjectCommand({ Bucket, Key: 'jobs/lost' }))).rejects.toMatchObject({
      name: 'NoSuchKey',
    });
  });

  it.each(['kill', 'kill-after', 'stall'] as const)(
    '%s takes the connection from the bearer of a presigned URL, and leaves the function that signed alone',
    async (fault) => {
      await s3.send(new PutObjectCommand({ Bucket, Key: 'jobs/b', Body: 'content' }));
      const url = await call('presign', { Bucket, Key: 'jobs/b', expiresIn: 600 });
      const { pids } = stack.lambda;
      injectInto('s3:GetObject', fault);
      await expect(fetch(url)).rejects.toThrow('fetch failed');
      expect(await (await fetch(url)).text()).toBe('content');
      expect(await call('environment', 'BUCKET')).toBe(Bucket);
      expect(stack.lambda.pids).toEqual(pids);
    },
  );
});

describe('moved time', () => {
  it('ends presigned URLs of functions, and new ones are signed in it', async () => {
    const url = await call('presign', { Bucket, Key: 'jobs/a', expiresIn: 600 });
    expect(await (await fetch(url)).text()).toBe('content');
    await stack.advance(601_000);
    const late = await fetch(url);
    expect({ status: late.status, text: await late.text() }).toEqual({
      status: 403,
      text: expect.stringContaining('Request has expired'),
    });
    const next = await call('presign', { Bucket, Key: 'jobs/a', expiresIn: 600 });
    expect((await fetch(next)).status).toBe(200);
  });

  it('ends objects whose days are over', async () => {
    await s3.send(new PutObjectCommand({ Bucket, Key: 'files/b', Body: 'x' }));
    await stack.advance(8 * 86_400_000);
    await expect(s3.send(new GetObjectCommand({ Bucket, Key: 'jobs/a' }))).rejects.toMatchObject({ name: 'NoSuchKey' });
    await s3.send(new GetObjectCommand({ Bucket, Key: 'files/b' }));
    const [directory = ''] = (await readdir(folder)).filter((name) => name.startsWith('objects-'));
    expect(await readdir(join(folder, directory))).toHaveLength(1);
  });
});
