import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compareTargets, crossoverRps, type Load, p95WaitMs } from '../../../core/costs/compare-targets.ts';
import { derivedGpuMs } from '../../../core/costs/gpu-milliseconds.ts';
import { GPU_INSTANCE_TYPES, type GpuInstanceType } from '../../../core/models/gpu-instance-types.ts';

const G5 = GPU_INSTANCE_TYPES['ml.g5.xlarge'] as GpuInstanceType;
const LOAD: Load = { rps: 10, cpuMs: 99, memoryMiB: 1024, architecture: 'x86_64', gpuMs: 4, instance: G5 };

const cheapest = (load: Load) => compareTargets(load).toSorted((a, b) => a.usd - b.usd)[0]?.target;

describe('compareTargets', () => {
  it('adds up what AWS bills', () => {
    const [lambda, provisioned, endpoint] = compareTargets(LOAD);
    // 26,280,000 requests of 0.1 s and 1 GiB, at 0.20 USD a million and 0.0000166667 USD a GiB-second
    expect(lambda?.usd).toBeCloseTo(5.256 + 43.8001, 3);
    expect(lambda).toMatchObject({ units: 1, p95Ms: 100 });
    // 1 busy / 0.7 makes two environments all month, at 0.0000041667, and the time of requests at 0.0000097222
    expect(provisioned?.usd).toBeCloseTo(5.256 + 2 * 10.9501 + 25.5499, 3);
    expect(provisioned?.units).toBe(2);
    // one instance for 730 hours, and a function that waits 1 + 5 + 4 ms
    expect(endpoint?.usd).toBeCloseTo(1027.84 + 5.256 + 4.38, 2);
    expect(endpoint).toMatchObject({ units: 1, p95Ms: 10 });
  });

  it('starts as many instances as the load needs', () => {
    const units = (rps: number, instance = G5) => compareTargets({ ...LOAD, rps, instance })[2]?.units;
    expect([units(175), units(176), units(700)]).toEqual([1, 2, 4]);
    expect(units(700, { ...G5, gpus: 4 })).toBe(1);
  });

  it('never costs less for more requests', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 5000, noNaN: true }),
        fc.double({ min: 1, max: 2, noNaN: true }),
        (rps, by) => {
          const [less, more] = [compareTargets({ ...LOAD, rps }), compareTargets({ ...LOAD, rps: rps * by })];
          for (const [index, { usd }] of less.entries()) expect(more[index]?.usd).toBeGreaterThanOrEqual(usd - 1e-6);
        },
      ),
    );
  });
});

describe('p95WaitMs', () => {
  it('is Erlang’s: one server that is half busy makes half of the requests wait', () => {
    // M/M/1: P(wait > t) = 0.5 e^(-(1 - 0.5) t / 10 ms)
    expect(p95WaitMs(50, 10, 1)).toBeCloseTo((Math.log(10) * 10) / 0.5, 6);
  });

  it('is the textbook’s for two servers that are half busy: a third waits', () => {
    expect(p95WaitMs(100, 10, 2)).toBeCloseTo(Math.log(1 / 3 / 0.05) * 10, 6);
  });

  it('is zero at a low load, and infinite if the servers cannot keep up', () => {
    expect(p95WaitMs(1, 10, 1)).toBe(0);
    expect(p95WaitMs(100, 10, 1)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('crossoverRps', () => {
  it.each([0.2, 1, 2])('is where the endpoint becomes the cheapest, at %f ms on the GPU', (gpuMs) => {
    const load = { ...LOAD, gpuMs };
    const crossover = crossoverRps(load) ?? Number.NaN;
    const loads = Array.from({ length: 1000 }, (_, index) => (index + 1) * 2);
    for (const rps of loads.filter((one) => one < crossover * 0.9)) {
      expect(cheapest({ ...load, rps })).not.toBe('sagemaker');
    }
    expect(cheapest({ ...load, rps: crossover * 1.1 })).toBe('sagemaker');
  });

  it('does not exist for a model that a CPU runs as fast', () => {
    expect(crossoverRps({ ...LOAD, cpuMs: 1, gpuMs: 4 })).toBeUndefined();
  });
});

describe('derivedGpuMs', () => {
  it('is two operations for each weight and token, at a share of the peak rate of the GPU', () => {
    // 2 x 10^9 x 105 operations at 70 x 10^12 x 0.3 a second
    expect(derivedGpuMs(1e9, 105, G5.gpu)).toBeCloseTo(10, 6);
  });

  it('is never less than launching kernels takes', () => {
    expect(derivedGpuMs(1, 1, G5.gpu)).toBe(0.2);
  });
});
