import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TimedActivity } from '../../local/activity/activity.ts';
import { type LocalStack, startLocal } from '../../local/start.ts';
import { renderActivity } from '../../local/terminal/activity-line.ts';
import { renderDetails, renderReady } from '../../local/terminal/banner.ts';
import { type FixtureApp, lambdaMethod, removeFolder, temporaryFolder, writeFixtureApp } from './fixture-app.ts';

function usagePlan(name: string, rate: number) {
  return {
    [name]: {
      Type: 'AWS::ApiGateway::UsagePlan',
      Properties: {
        UsagePlanName: name.toLowerCase(),
        Throttle: { RateLimit: rate, BurstLimit: 2 * rate },
        Quota: { Limit: 10_000, Period: 'DAY' },
        ApiStages: [{ ApiId: { Ref: 'Api' }, Stage: { Ref: 'Stage' } }],
      },
    },
    [`${name}Key`]: {
      Type: 'AWS::ApiGateway::ApiKey',
      Properties: { Name: `${name.toLowerCase()}-default`, Enabled: true },
    },
    [`${name}Link`]: {
      Type: 'AWS::ApiGateway::UsagePlanKey',
      Properties: { KeyId: { Ref: `${name}Key` }, UsagePlanId: { Ref: name }, KeyType: 'API_KEY' },
    },
  };
}

const APP: FixtureApp = {
  functions: {
    Fn: {
      code: 'export const handler = (e) => { if (e.path === "/fails") throw new Error("why"); return { statusCode: 200, headers: { "x-cache": "HIT" }, body: "ok" }; };',
    },
  },
  methods: { 'GET /': lambdaMethod('Fn', { ApiKeyRequired: true }), 'GET /fails': lambdaMethod('Fn') },
  resources: {
    ...usagePlan('Wide', 50),
    ...usagePlan('Tight', 5),
    Topic: { Type: 'AWS::Kinesis::Stream' },
    Alarm: { Type: 'AWS::CloudWatch::Alarm' },
  },
};

let folder: string;
let stack: LocalStack | undefined;

beforeEach(async () => {
  folder = await temporaryFolder();
});

afterEach(async () => {
  await stack?.stop();
  stack = undefined;
  await removeFolder(folder);
});

describe('startLocal', () => {
  it('writes where everything is, and removes it when it stops', async () => {
    stack = await startLocal({ assembly: await writeFixtureApp(folder, APP), directory: folder, port: 0 });
    const file = join(folder, 'local.json');
    const described = JSON.parse(await readFile(file, 'utf8'));
    expect(described).toMatchObject({
      url: stack.url,
      stage: 'dev',
      apiKeys: [{ plan: 'tight', name: 'tight-default' }, { plan: 'wide' }],
      endpoints: { lambda: stack.endpointUrl },
      queues: {},
      stores: {},
      models: [],
    });
    expect(described.apiKeys[0].limits).toBe('5 requests a second, bursts of 10, 10,000 a day');
    await stack.stop();
    expect(await readdir(folder)).not.toContain('local.json');
    await expect(fetch(stack.url)).rejects.toThrow('fetch failed');
  });

  it('reports model, version and error code of a response, and the key of a request that is throttled', async () => {
    const code = `export const handler = () => {
      process.stdout.write('{"message":"jobs","JobsSucceeded":1}\\n');
      const headers = { 'x-model-id': 'm', 'x-model-version': '2' };
      return { statusCode: 400, headers, body: '{"error":{"code":"INPUT_EMPTY"}}' };
    };`;
    const resources = { ...usagePlan('Slow', 1) };
    const app = {
      functions: { Fn: { code } },
      methods: { 'GET /': lambdaMethod('Fn', { ApiKeyRequired: true }) },
      resources,
    };
    const seen: TimedActivity[] = [];
    const onActivity = (activity: TimedActivity): void => void seen.push(activity);
    stack = await startLocal({ assembly: await writeFixtureApp(folder, app), directory: folder, port: 0, onActivity });
    const headers = { 'x-api-key': stack.description.apiKeys[0]?.value ?? '' };
    for (let count = 0; count < 3; count += 1) await fetch(`${stack.url}/`, { headers });
    const requests = () => seen.filter((activity) => activity.type === 'request.completed');
    while (requests().length < 3 || !seen.some(({ type }) => type === 'record.logged')) await setImmediate();
    expect(requests()[0]).toMatchObject({ model: 'm', version: '2', code: 'INPUT_EMPTY', keyName: 'slow-default' });
    expect(requests()[2]).toMatchObject({ status: 429, keyName: 'slow-default', model: undefined });
    expect(seen).toContainEqual(
      expect.objectContaining({ type: 'record.logged', record: { message: 'jobs', JobsSucceeded: 1 } }),
    );
  });

  it('returns the same keys at each start', async () => {
    const assembly = await writeFixtureApp(folder, APP);
    const keys: string[][] = [];
    for (let round = 0; round < 2; round += 1) {
      stack = await startLocal({ assembly, directory: folder, port: 0 });
      keys.push(stack.description.apiKeys.map(({ value }) => value));
      await stack.stop();
    }
    expect(keys[1]).toEqual(keys[0]);
    expect(new Set(keys[0]).size).toBe(2);
    expect(keys[0]?.[0]).toMatch(/^[A-Za-z0-9]{40}$/);
  });

  it('reports each request once its response is sent', async () => {
    const lines: string[] = [];
    const { promise: twoLines, resolve } = Promise.withResolvers<void>();
    const onActivity = (activity: TimedActivity): void => {
      const line = renderActivity(activity);
      if (line !== undefined && lines.push(line) === 2) resolve();
    };
    stack = await startLocal({ assembly: await writeFixtureApp(folder, APP), directory: folder, port: 0, onActivity });
    const key = stack.description.apiKeys[0]?.value ?? '';
    await fetch(`${stack.url}/dev/`, { headers: { 'x-api-key': key } });
    await fetch(`${stack.url}/fails`);
    await twoLines;
    const [first = '', second = ''] = lines;
    expect(first).toMatch(/GET {2}.*\/ .*200.* ms .*tight-default {2}cold {2}hit/);
    expect(second).toMatch(/\/fails .*502.*\n.*Error: why/);
  });

  it('shows what runs, what does not, and a command to paste', async () => {
    stack = await startLocal({ assembly: await writeFixtureApp(folder, APP), directory: folder, port: 0 });
    const [ready, details] = [renderReady(stack), renderDetails(stack)];
    const key = stack.description.apiKeys[0]?.value;
    expect(ready).toContain(`curl ${stack.url}/v1/models -H 'x-api-key: ${key}'`);
    expect(ready).toContain('1 resource does not run here, and what needs it fails');
    expect(details).toMatch(/Lambda functions, with logs in .*logs\/<function>\.log\n +fn +\d+ MiB/);
    expect(details).toMatch(/Does not run here.*Topic.*AWS::Kinesis::Stream.*does not know/s);
    expect(details).toMatch(/Left out.*1 AWS::CloudWatch::Alarm.*look at the logs/s);
    expect(details).toContain(`export AWS_ENDPOINT_URL=${stack.endpointUrl}`);
    expect(details).toContain('AWS_DEFAULT_REGION=us-east-1');
  });

  it('shows a request for embeddings when a model serves them', async () => {
    stack = await startLocal({ assembly: await writeFixtureApp(folder, APP), directory: folder, port: 0 });
    expect(renderReady({ ...stack, models: [{ id: 'minilm', task: 'embedding' }] })).toContain(
      [
        '/v1/embeddings \\',
        `  -H 'x-api-key: ${stack.description.apiKeys[0]?.value}' \\`,
        "  -H 'content-type: application/json' \\",
        `  -d '{"model":"minilm","input":"Hello, world"}'`,
      ].join('\n'),
    );
  });

  it('fails with LOCAL_START when the port is taken, and leaves nothing open', async () => {
    const blocker = createServer().listen(0, '127.0.0.1');
    await once(blocker, 'listening');
    const address = blocker.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const started = startLocal({ assembly: await writeFixtureApp(folder, APP), directory: folder, port });
    await expect(started).rejects.toMatchObject({
      code: 'LOCAL_START',
      message: expect.stringContaining(`port ${port} is in use`),
    });
    // The folder of objects goes with its service, which was open already.
    expect((await readdir(folder)).filter((name) => name.startsWith('objects-'))).toEqual([]);
    blocker.close();
  });

  it('fails with TEMPLATE_INVALID when the app has no API', async () => {
    const assembly = await writeFixtureApp(folder, { functions: APP.functions ?? {} });
    await expect(startLocal({ assembly, directory: folder, port: 0 })).rejects.toMatchObject({
      code: 'TEMPLATE_INVALID',
    });
  });

  it('reports what the services do, from the first environment to the last request', async () => {
    const types: string[] = [];
    const onActivity = ({ type }: TimedActivity): void => void types.push(type);
    stack = await startLocal({ assembly: await writeFixtureApp(folder, APP), directory: folder, port: 0, onActivity });
    await fetch(`${stack.url}/fails`);
    while (!types.includes('request.completed')) await setImmediate();
    expect(types.filter((type) => !type.endsWith('frozen') && !type.endsWith('resumed'))).toEqual([
      'environment.started',
      'environment.initialized',
      'invocation.started',
      'invocation.completed',
      'request.completed',
    ]);
  });

  it('stops every service even if one of them fails to stop', async () => {
    stack = await startLocal({ assembly: await writeFixtureApp(folder, APP), directory: folder, port: 0 });
    const { lambda, url, endpointUrl } = stack;
    const stop = lambda.stop.bind(lambda);
    lambda.stop = async () => {
      await stop();
      throw new Error('one function does not end');
    };
    await expect(stack.stop()).rejects.toThrow('one function does not end');
    for (const closed of [url, endpointUrl]) await expect(fetch(closed)).rejects.toThrow('fetch failed');
    expect(await readdir(folder)).not.toContain('local.json');
  });

  it('creates new keys when the file of keys is broken', async () => {
    await writeFile(join(folder, 'api-keys.json'), '{broken');
    stack = await startLocal({ assembly: await writeFixtureApp(folder, APP), directory: folder, port: 0 });
    expect(stack.description.apiKeys).toHaveLength(2);
  });
});
