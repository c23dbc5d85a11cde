import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Stack } from 'aws-cdk-lib';
import { parseDeployConfig } from '../../core/config/deploy-config.ts';
import { GpuEndpoint, GpuStack, InferenceApi, Jobs, type Model } from '../../lib/index.ts';
import { packedTensor } from './packed-models.ts';
import { methodsByRoute, otherStack, resourcesOf, templateOf, testApp } from './synthesized-api.ts';

/** Ids that differ in characters which AWS does not allow in some names, and ids that constructs of the API have. */
const IDS = ['a-b', 'a_b', 'a.b', 'A-b', 'ab', 'ch_PP-OCRv4', 'RestApi', 'Routes'];

/** Names that SageMaker allows, without the suffix of the version. */
const ENDPOINT_NAME = /^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$/;

const UNPRICED = { maxIdleMonthlyUsd: 1_000_000 };

function gpuModel(id: string): Model {
  const model = packedTensor(id, { compute: { target: 'sagemaker' } });
  mkdirSync(join(model.packedDirectory, 'endpoint'));
  for (const [name, version] of Object.entries(model.packed.versions)) {
    version.file = `endpoint/${name}.tar.gz`;
    writeFileSync(join(model.packedDirectory, version.file), 'none');
  }
  return model;
}

function endpointNameOf(id: string): string {
  return new GpuEndpoint(otherStack(), 'Gpu', { model: gpuModel(id) }).endpointName;
}

describe('models with capitals, underscores and dots in their ids', () => {
  const models = IDS.map((id) => packedTensor(id));
  const jobsStack = otherStack();
  new Jobs(jobsStack, 'Jobs', { models });
  const stack = otherStack();
  new InferenceApi(stack, 'Api', { models, ...UNPRICED });
  const [template, jobs] = [templateOf(stack), templateOf(jobsStack)];

  it('each have a function, a worker, two queues and their routes', () => {
    const functions = [template, jobs]
      .flatMap((one) => resourcesOf(one, 'AWS::Lambda::Function'))
      .map(({ Properties }) => Properties.Description);
    for (const id of IDS) {
      expect(functions.filter((description: string) => description?.endsWith(` ${id}`))).toHaveLength(2);
      expect([...methodsByRoute(template).keys()]).toEqual(
        expect.arrayContaining([`POST /v1/models/${id}:predict`, `POST /v2/models/${id}/infer`]),
      );
    }
    expect(resourcesOf(jobs, 'AWS::SQS::Queue')).toHaveLength(5 + 2 * IDS.length);
  });

  it('have path parts that API Gateway accepts', () => {
    for (const { Properties } of resourcesOf(template, 'AWS::ApiGateway::Resource')) {
      expect(Properties.PathPart).toMatch(/^([a-zA-Z0-9._:-]+|\{\w+\+?\})$/);
    }
  });

  it('have endpoints whose names SageMaker accepts and distinguishes, whatever the case', () => {
    const names = IDS.map(endpointNameOf);
    for (const name of names) expect(`${name}-v1`).toMatch(ENDPOINT_NAME);
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(IDS.length);
  });
});

describe('models with an id in lower case', () => {
  it('keep the names of endpoints that they were deployed with', () => {
    expect(endpointNameOf('my-model2')).toBe('Test-my-model2-g5-xlarge');
    expect(endpointNameOf('a'.repeat(63))).toMatch(/^Test-a{38}-[0-9a-f]{8}$/);
  });
});

describe('two models with one id', () => {
  const twins = [packedTensor('twin'), packedTensor('twin')];
  const error = expect.objectContaining({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/models must contain each id once, got more than one twin/),
  });

  it('are refused by the API, by jobs and by the stack of endpoints', () => {
    expect(() => new InferenceApi(otherStack(), 'Api', { models: twins })).toThrow(error);
    expect(() => new Jobs(otherStack(), 'Jobs', { models: twins })).toThrow(error);
    const models = [gpuModel('twin'), gpuModel('twin')];
    const config = parseDeployConfig({}, 'test');
    expect(() => new GpuStack(testApp(), 'Gpu', { models, config })).toThrow(error);
  });
});

describe('a stack without models', () => {
  it('is refused by the name of the property', () => {
    expect(() => new Jobs(new Stack(testApp(), 'Test'), 'Jobs', { models: [] })).toThrow(/at least one model/);
  });
});
