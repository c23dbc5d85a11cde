import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { create } from 'tar';
import { decodeTritonAnswer, encodeTritonRequest } from '../../../../core/protocols/triton-binary.ts';
import { renderTritonConfig } from '../../../../core/sagemaker/triton-config.ts';
import type { AwsRequest } from '../../../../local/aws/aws-service.ts';
import { ObjectEngine } from '../../../../local/services/s3/object-engine.ts';
import { AsyncInference } from '../../../../local/services/sagemaker/async-inference.ts';
import { SageMakerHost } from '../../../../local/services/sagemaker/sagemaker-host.ts';
import { SageMakerService } from '../../../../local/services/sagemaker/sagemaker-service.ts';
import { SYSTEM_CLOCK } from '../../../../local/time/clock.ts';
import { makeNode } from '../../../../onnx/format/graph.ts';
import { encodeModel } from '../../../../onnx/format/proto.ts';
import { matrix, smallModel, value } from '../../../onnx/small-models.ts';

const ENDPOINT = { arn: 'arn', logicalId: 'Endpoint', shadow: undefined, roleArn: undefined, async: undefined };

let root: string;
let host: SageMakerHost;
let service: SageMakerService;

/** Packs a model that multiplies rows of two by a matrix of ones, times `factor`. */
function pack(factor: number): string {
  const repository = join(root, `repository-${factor}`);
  mkdirSync(join(repository, 'tiny/1'), { recursive: true });
  const model = smallModel({
    nodes: [makeNode('MatMul', 'times', ['x', 'w'], ['y'])],
    inputs: [value('x', ['rows', 2])],
    outputs: [value('y', ['rows', 1])],
    constants: [matrix('w', 2, 1, factor)],
  });
  writeFileSync(join(repository, 'tiny/1/model.onnx'), encodeModel(model));
  const config = renderTritonConfig({
    name: 'tiny',
    version: '1',
    maxBatchSize: 4,
    modelInstances: 1,
    tensorRt: factor === 2,
    hasIndependentRows: true,
    inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
    outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 1] }],
    queue: { delayMicroseconds: 0, maxRequests: 8, timeoutMilliseconds: 1000 },
  });
  writeFileSync(join(repository, 'tiny/config.pbtxt'), config);
  const archive = join(root, `${factor}.tar.gz`);
  create({ cwd: repository, file: archive, gzip: true, sync: true }, ['tiny']);
  return archive;
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'tensorgate-containers-'));
  const environment = { SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: 'tiny' };
  const variants = [
    { name: 'v1', weight: 100, archive: pack(1), environment },
    { name: 'v2', weight: 0, archive: pack(2), environment },
  ];
  const plan = { ...ENDPOINT, name: 'App-tiny', variants };
  const [production, half] = variants.map((variant) => ({ ...variant, weight: variant.weight === 0 ? 0.5 : 1 }));
  const shadowed = {
    ...ENDPOINT,
    name: 'App-shadowed',
    variants: production === undefined ? [] : [production],
    shadow: half,
  };
  host = new SageMakerHost([plan, shadowed], join(root, 'logs'));
  const objects = await ObjectEngine.open(join(root, 'objects'), [], SYSTEM_CLOCK);
  const sendMessage = () => undefined;
  service = new SageMakerService(
    host,
    new AsyncInference({ host, endpoints: [plan], roles: [], topics: [], objects, clock: SYSTEM_CLOCK, sendMessage }),
  );
  await host.ready();
});

afterAll(async () => {
  await host?.stop();
  rmSync(root, { recursive: true, force: true });
});

function invocation(body: Buffer, headers: Record<string, string> = {}, name = 'App-tiny'): AwsRequest {
  return {
    method: 'POST',
    path: `/endpoints/${name}/invocations`,
    query: new URLSearchParams(),
    body,
    headers: { 'content-type': 'application/json', ...headers },
  };
}

const json = (value: unknown, headers?: Record<string, string>) =>
  service.respond(invocation(Buffer.from(JSON.stringify(value)), headers));

const X = { name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] };

describe('an endpoint that runs here', () => {
  it('responds with JSON, by the weights of the variants', async () => {
    const { status, headers, body } = await json({ id: '7', inputs: [X] });
    expect({ status, variant: headers['x-amzn-invoked-production-variant'] }).toEqual({ status: 200, variant: 'v1' });
    expect(JSON.parse(body.toString())).toMatchObject({
      id: '7',
      model_name: 'tiny',
      model_version: '1',
      outputs: [{ name: 'y', datatype: 'FP32', shape: [1, 1] }],
    });
  });

  it('invokes the variant that the request names, in binary too', async () => {
    const x = { datatype: 'FP32', shape: [2, 2], data: new Float32Array([1, 2, 3, 4]) } as const;
    const message = encodeTritonRequest({ x });
    const ask = async (variant: string) => {
      const headers = { 'content-type': message.contentType, 'x-amzn-sagemaker-target-variant': variant };
      const answer = await service.respond(invocation(Buffer.from(message.body), headers));
      expect(answer.headers['x-amzn-invoked-production-variant']).toBe(variant);
      return decodeTritonAnswer({ contentType: answer.headers['content-type'] ?? '', body: answer.body as Buffer });
    };
    const [one, two] = [await ask('v1'), await ask('v2')];
    expect(one).toMatchObject({ y: { datatype: 'FP32', shape: [2, 1] } });
    expect(two).not.toEqual(one);
  });

  it('returns only the outputs in binary whose parameters request it', async () => {
    const outputs = [{ name: 'y', parameters: { binary_data: true } }];
    const { headers } = await json({ inputs: [X], outputs });
    expect(headers['content-type']).toMatch(/^application\/vnd\.sagemaker-triton\.binary\+json;json-header-size=\d+$/);
  });

  it.each([
    ['an input that is not there', { inputs: [{ ...X, name: 'z' }] }, 400],
    ['more items than a batch', { inputs: [{ ...X, shape: [5, 2], data: new Array(10).fill(1) }] }, 400],
    ['data that does not fit', { inputs: [{ ...X, data: [1] }] }, 400],
    ['an output that is not there', { inputs: [X], outputs: [{ name: 'q' }] }, 400],
    ['a datatype that there is not', { inputs: [{ ...X, datatype: 'FP7' }] }, 400],
    ['no shape', { inputs: [{ ...X, shape: 'none' }] }, 400],
    ['no inputs', {}, 400],
    ['a list', [], 400],
    ['a shape that the model cannot run', { inputs: [{ ...X, shape: [1, 3], data: [1, 2, 3] }] }, 500],
  ])('reports %s as SageMaker does', async (_, request, original) => {
    const { status, headers, body } = await json(request);
    expect({ status, type: headers['x-amzn-errortype'] }).toEqual({ status: 424, type: 'ModelError' });
    expect(JSON.parse(body.toString())).toMatchObject({ OriginalStatusCode: original });
  });

  it('knows its endpoints and variants', async () => {
    const unknown = await service.respond(invocation(Buffer.from('{}'), {}, 'Other'));
    expect({ status: unknown.status, type: unknown.headers['x-amzn-errortype'] }).toEqual({
      status: 400,
      type: 'ValidationError',
    });
    const { body } = await json({}, { 'x-amzn-sagemaker-target-variant': 'v9' });
    expect(body.toString()).toContain('it has v1, v2');
  });

  it('lists what it does not support', () => {
    expect(host.unmet().filter(({ resource }) => resource === 'App-tiny')).toEqual([
      { resource: 'App-tiny', type: 'AWS::SageMaker::Endpoint', reason: 'its variant v2 runs without tensorrt here' },
    ]);
  });

  it('accepts payloads up to the limit of SageMaker', async () => {
    const { status } = await service.respond(invocation(Buffer.alloc(26_214_401)));
    expect(status).toBe(413);
  });

  it('requires the permission to invoke it', () => {
    expect(service.permissions(invocation(Buffer.alloc(0)))).toEqual([
      {
        action: 'sagemaker:InvokeEndpoint',
        resource: 'arn:aws:sagemaker:us-east-1:000000000000:endpoint/app-tiny',
      },
    ]);
    expect(service.permissions({ ...invocation(Buffer.alloc(0)), path: '/' })).toBeUndefined();
  });

  it('is unavailable while its container is, and recovers', async () => {
    const [first] = host.containers('App-tiny');
    const pid = first?.pid ?? 0;
    process.kill(pid, 'SIGKILL');
    while (first?.isReady === true) await pause(5);
    const { status, headers } = await json({ inputs: [X] });
    expect({ status, type: headers['x-amzn-errortype'] }).toEqual({ status: 503, type: 'ServiceUnavailable' });
    while (first?.isReady === false) await pause(20);
    expect(await json({ inputs: [X] })).toHaveProperty('status', 200);
    expect(first?.pid).not.toBe(pid);
  });
});

describe('a shadow', () => {
  const ASKED = 40;
  const served = (variant: string) =>
    readFileSync(join(root, `logs/App-shadowed-${variant}.log`), 'utf8').match(/^invocation 200 in \d+ ms$/gm)
      ?.length ?? 0;

  it('receives its share of the requests, and its responses are discarded', async () => {
    const body = Buffer.from(JSON.stringify({ inputs: [X] }));
    // The shadow's weight is half of the variant's: of numbers spread evenly, half are below it.
    let draws = 0;
    const random = jest.spyOn(Math, 'random').mockImplementation(() => (draws++ % 8) / 8);
    for (let count = 0; count < ASKED; count++) {
      const { headers } = await service.respond(invocation(body, {}, 'App-shadowed'));
      expect(headers['x-amzn-invoked-production-variant']).toBe('v1');
    }
    random.mockRestore();
    while (served('v1') < ASKED || served('v2') < ASKED / 2) await pause(10);
    expect(served('v2')).toBe(ASKED / 2);
  });

  it('cannot be asked, and fails for itself', async () => {
    const body = Buffer.from(JSON.stringify({ inputs: [X] }));
    const named = { 'x-amzn-sagemaker-target-variant': 'v2' };
    expect((await service.respond(invocation(body, named, 'App-shadowed'))).status).toBe(400);
    const [, shadow] = host.containers('App-shadowed');
    process.kill(shadow?.pid ?? 0, 'SIGKILL');
    while (shadow?.isReady === true) await pause(5);
    for (let count = 0; count < 10; count++) {
      expect((await service.respond(invocation(body, {}, 'App-shadowed'))).status).toBe(200);
    }
  });
});

it('a container that cannot start says where to look', async () => {
  const archive = join(root, 'none.tar.gz');
  const variant = { name: 'v1', weight: 1, archive, environment: {} };
  const broken = new SageMakerHost([{ ...ENDPOINT, name: 'Broken', variants: [variant] }], join(root, 'logs'));
  await expect(broken.ready()).rejects.toMatchObject({ code: 'LOCAL_START' });
  await broken.stop();
});
