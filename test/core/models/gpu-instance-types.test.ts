import { describe, expect, it } from '@jest/globals';
import { idleMonthlyUsd } from '../../../core/costs/cost.ts';
import { DEFAULT_INSTANCE_TYPE, GPU_INSTANCE_TYPES, gpuInstanceType } from '../../../core/models/gpu-instance-types.ts';
import { parseManifest } from '../../../core/models/manifest.ts';

const MINIMAL = { id: 'a', task: 'tensor', versions: { '1': { weights: 'a.onnx', sha256: 'a'.repeat(64) } } };

describe('gpuInstanceType', () => {
  it('includes the default', () => {
    expect(gpuInstanceType(DEFAULT_INSTANCE_TYPE)).toMatchObject({ gpus: 1, usdPerHour: 1.408 });
  });

  it.each(['ml.m5.xlarge', 'constructor', ''])('does not know %j', (name) => {
    expect(gpuInstanceType(name)).toBeUndefined();
  });

  it.each(Object.entries(GPU_INSTANCE_TYPES))('%s costs more than a GPU, in dollars', (_, { usdPerHour, gpus }) => {
    expect(usdPerHour / gpus).toBeGreaterThan(0.5);
    expect(usdPerHour / gpus).toBeLessThan(7);
  });
});

describe('compute of a manifest', () => {
  it('has a default for every key except the target', () => {
    expect(parseManifest({ ...MINIMAL, compute: { target: 'sagemaker' } }, 'model.yaml').compute).toEqual({
      target: 'sagemaker',
      memoryMiB: 1769,
      architecture: 'x86_64',
      timeoutSeconds: 29,
      instanceType: 'ml.g5.xlarge',
      mode: 'realtime',
      container: 'triton',
      shift: 'canary',
      instances: { max: 4, schedules: [] },
      queue: { delayMicroseconds: 0, maxRequests: 256, timeoutMilliseconds: 10_000 },
      modelInstances: 1,
      tensorRt: false,
    });
  });

  it.each([
    [{ instanceType: 'ml.m5.xlarge' }, 'compute.instanceType: must be one of ml.g4dn.xlarge'],
    [
      { instanceType: 'ml.p3.2xlarge' },
      'compute.instanceType: must have GPUs of compute capability 7.5 or more unless image names a container for them, got ml.p3.2xlarge, which has 7',
    ],
    [{ instances: { min: 5, max: 2 } }, 'min must not exceed max, got min 5 and max 2'],
    [{ instances: { concurrency: 1, invocationsPerMinute: 1 } }, 'invocationsPerMinute or on concurrency, got both'],
    [{ instances: { schedules: [{ cron: 'daily', min: 1, max: 1 }] } }, 'schedules.0.cron: must be six fields'],
    [{ instances: { schedules: [{ cron: '0 8 * * ? *', min: 2, max: 1 }] } }, 'got min 2 and max 1'],
    [{ instances: { min: 0 } }, 'must have a min of 1 or more, because only an async endpoint'],
    [{ instances: { schedules: [{ cron: '0 8 * * ? *', min: 0, max: 1 }] } }, 'must have a min of 1 or more'],
    [{ instances: { backlog: 3 } }, 'must not hold backlog, for requests of a realtime endpoint do not queue'],
    [{ mode: 'async', instances: { invocationsPerMinute: 3 } }, 'must not hold invocationsPerMinute, for an async'],
    [{ container: 'tei', tensorRt: true }, 'compute.tensorRt: must not be true with the container tei'],
    [{ container: 'tei', modelInstances: 2 }, 'compute.modelInstances: must be 1 with the container tei'],
    [{ container: 'vllm' }, 'compute.container: must be one of triton, tei'],
    [{ mode: 'serverless' }, 'compute.mode: must be one of realtime, async'],
    [{ image: 'nvcr.io/nvidia/tritonserver:25.09' }, 'compute.image: must be an image in Amazon ECR'],
    [{ gpu: true }, 'compute.gpu: is not a known key'],
  ])('refuses %j', (compute, message) => {
    expect(() => parseManifest({ ...MINIMAL, compute: { target: 'sagemaker', ...compute } }, 'model.yaml')).toThrow(
      message,
    );
  });
});

describe('what an endpoint costs while idle', () => {
  it('is its instances by the hour, and its alarms', () => {
    const endpoint = { instanceType: 'ml.g5.xlarge', instances: 2, alarms: 3 };
    const { total } = idleMonthlyUsd([], { endpoints: [endpoint] });
    expect(total).toBeCloseTo(2 * 730 * 1.408 + 0.3, 6);
  });
});
