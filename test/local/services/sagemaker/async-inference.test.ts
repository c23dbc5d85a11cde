import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AwsRequest } from '../../../../local/aws/aws-service.ts';
import { ObjectEngine } from '../../../../local/services/s3/object-engine.ts';
import { AsyncInference } from '../../../../local/services/sagemaker/async-inference.ts';
import { type InvocationOutcome, SageMakerHost } from '../../../../local/services/sagemaker/sagemaker-host.ts';
import { SageMakerService } from '../../../../local/services/sagemaker/sagemaker-service.ts';
import { SYSTEM_CLOCK } from '../../../../local/time/clock.ts';

const TOPIC = 'arn:aws:sns:us-east-1:000000000000:Ended';
const QUEUE = 'arn:aws:sqs:us-east-1:000000000000:Jobs';
const ROLE = 'arn:aws:iam::000000000000:role/Endpoint';

/** Responds as a test says, instead of containers. */
class ScriptedHost extends SageMakerHost {
  outcomes: InvocationOutcome[] = [];
  bodies: string[] = [];

  constructor() {
    super([], '');
  }

  override async invoke(...[, { body }]: Parameters<SageMakerHost['invoke']>): Promise<InvocationOutcome> {
    this.bodies.push(Buffer.from(body).toString());
    return this.outcomes.shift() ?? { kind: 'timeout' };
  }
}

let folder: string;
let objects: ObjectEngine;
let host: ScriptedHost;
let messages: { queue: string; body: Record<string, unknown> }[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tensorgate-async-inference-'));
  const plan = { name: 'b', arn: 'arn:aws:s3:::b', logicalId: 'B', lifecycle: [] };
  objects = await ObjectEngine.open(folder, [plan], SYSTEM_CLOCK);
  host = new ScriptedHost();
  messages = [];
  await put('in/1', 'tensors');
});

afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(key: string, text: string): Promise<void> {
  const chunks = (async function* () {
    yield Buffer.from(text);
  })();
  const bytes = await objects.files.write(chunks, () => undefined);
  await objects.bucket('b').put(key, { bytes, etag: '', headers: {}, checksum: undefined });
}

function serve(actions: readonly string[] = ['s3:GetObject', 's3:PutObject', 'sns:Publish']) {
  const inference = new AsyncInference({
    host,
    endpoints: [
      {
        name: 'App-v1',
        arn: 'arn',
        logicalId: 'Endpoint',
        variants: [],
        shadow: undefined,
        roleArn: ROLE,
        async: {
          output: { bucket: 'b', key: 'out/' },
          failure: { bucket: 'b', key: 'failed/' },
          successTopic: TOPIC,
          errorTopic: TOPIC,
          maxConcurrency: 1,
        },
      },
    ],
    roles: [
      {
        name: 'Endpoint',
        arn: ROLE,
        policies: [{ Statement: [{ Effect: 'Allow', Action: actions, Resource: '*' }] }],
      },
    ],
    topics: [{ arn: TOPIC, logicalId: 'Ended', queues: [QUEUE] }],
    objects,
    clock: SYSTEM_CLOCK,
    sendMessage: (queue, body) => {
      messages.push({ queue, body: JSON.parse(body) as Record<string, unknown> });
    },
  });
  return { inference, service: new SageMakerService(host, inference) };
}

function request(headers: Record<string, string> = {}, path = '/endpoints/App-v1/async-invocations'): AwsRequest {
  return {
    method: 'POST',
    path,
    query: new URLSearchParams(),
    body: Buffer.alloc(0),
    headers: {
      'x-amzn-sagemaker-inputlocation': 's3://b/in/1',
      'x-amzn-sagemaker-inference-id': 'my-id',
      'x-amzn-sagemaker-content-type': 'application/json',
      ...headers,
    },
  };
}

async function settled(inference: AsyncInference): Promise<void> {
  while (inference.isBusy) await pause(5);
}

const answered = (text: string, status = 200): InvocationOutcome => ({
  kind: 'responded',
  variant: 'v1',
  response: { status, contentType: 'application/json', body: Buffer.from(text) },
});

async function read(prefix: string): Promise<string[]> {
  const bucket = objects.bucket('b');
  return Promise.all(
    bucket.keys(prefix).map(async (key) => {
      const object = bucket.find(key);
      return object === undefined ? '' : (await buffer(object.bytes.read())).toString();
    }),
  );
}

describe('an asynchronous endpoint of local mode', () => {
  it('returns where the response will be, writes it there, and notifies of it', async () => {
    host.outcomes.push(answered('result'));
    const { service, inference } = serve();
    const { status, headers, body } = await service.respond(request());
    expect({ status, body }).toEqual({ status: 202, body: '{"InferenceId":"my-id"}' });
    await settled(inference);
    expect(await read('out/')).toEqual(['result']);
    expect(host.bodies).toEqual(['tensors']);
    expect(messages).toMatchObject([
      {
        queue: QUEUE,
        body: {
          eventSource: 'aws:sagemaker',
          invocationStatus: 'Completed',
          inferenceId: 'my-id',
          responseParameters: { outputLocation: headers['x-amzn-sagemaker-outputlocation'] },
        },
      },
    ]);
  });

  it.each<[string, InvocationOutcome[], string]>([
    ['refuses', [answered('bad shape', 400)], 'unexpected status 400: bad shape'],
    ['takes too long', [{ kind: 'timeout' }], 'gave no response: timeout'],
  ])('writes the reason for a missing response when the container %s', async (_, outcomes, reason) => {
    host.outcomes.push(...outcomes);
    const { service, inference } = serve();
    await service.respond(request());
    await settled(inference);
    expect(await read('out/')).toEqual([]);
    expect(await read('failed/')).toEqual([expect.stringContaining(reason)]);
    expect(messages).toMatchObject([
      { body: { invocationStatus: 'Failed', failureReason: expect.stringContaining(reason) } },
    ]);
  });

  it('keeps requests while the container is unavailable', async () => {
    host.outcomes.push({ kind: 'unavailable' }, answered('late'));
    const { service, inference } = serve();
    await service.respond(request());
    await settled(inference);
    expect(await read('out/')).toEqual(['late']);
  });

  it('works with the permissions of its role', async () => {
    host.outcomes.push(answered('result'));
    const { service, inference } = serve(['s3:PutObject', 'sns:Publish']);
    await service.respond(request());
    await settled(inference);
    expect(await read('failed/')).toEqual(['s3:GetObject on arn:aws:s3:::b/in/1 is not allowed']);
  });

  it('fails a request whose input is not there', async () => {
    const { service, inference } = serve();
    await service.respond(request({ 'x-amzn-sagemaker-inputlocation': 's3://b/in/none' }));
    await settled(inference);
    expect(await read('failed/')).toEqual(['s3://b/in/none does not exist']);
  });

  it.each<[string, AwsRequest, string]>([
    ['a request that waits', request({}, '/endpoints/App-v1/invocations'), 'takes asynchronous requests only'],
    ['an endpoint that is none', request({}, '/endpoints/Other/async-invocations'), 'is not an asynchronous endpoint'],
    ['an input elsewhere', request({ 'x-amzn-sagemaker-inputlocation': 'https://x' }), 'must be an address in S3'],
  ])('refuses %s', async (_, wrong, message) => {
    const { service } = serve();
    expect(await service.respond(wrong)).toMatchObject({ status: 400, body: expect.stringContaining(message) });
  });

  it('needs a permission of its own', () => {
    const { service } = serve();
    expect(service.permissions(request())).toEqual([
      {
        action: 'sagemaker:InvokeEndpointAsync',
        resource: 'arn:aws:sagemaker:us-east-1:000000000000:endpoint/app-v1',
      },
    ]);
  });
});
