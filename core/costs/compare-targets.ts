import type { GpuInstanceType } from '../models/gpu-instance-types.ts';
import { type Architecture, MONTH_SECONDS, PRICES } from './prices.ts';

/** A load, and the time of one request on each target. */
export interface Load {
  /** Requests a second, around the clock. */
  readonly rps: number;
  /** Milliseconds of a request in a function that runs the model itself. */
  readonly cpuMs: number;
  /** Memory of that function, in MiB; the function in front of an endpoint has as much. */
  readonly memoryMiB: number;
  readonly architecture: Architecture;
  /** Milliseconds of GPU time of a request. */
  readonly gpuMs: number;
  readonly instance: GpuInstanceType;
}

/** Cost and latency of one way to run a model. */
export interface TargetCost {
  readonly target: 'lambda' | 'lambda-provisioned' | 'sagemaker';
  /** US dollars a month, without API Gateway, which costs the same for each. */
  readonly usd: number;
  /** Estimated 95th percentile of the latency in milliseconds, without cold starts. */
  readonly p95Ms: number;
  /** Environments or instances that the load keeps busy. */
  readonly units: number;
}

/** How busy environments and instances are planned to be: target tracking scales out above it. */
export const UTILIZATION = 0.7;

/**
 * Milliseconds that a call to an endpoint takes besides the model: signing, the network of one region, SageMaker's router,
 * Triton. An assumption, not a measurement.
 */
export const ENDPOINT_CALL_MS = 5;

/** Milliseconds of a function besides the model, as `bench/` measures them, rounded up. */
const FUNCTION_MS = 1;

/**
 * Compares the cost of a load on each target.
 *
 * Lambda: requests x (price of a request + memory x time x price). Provisioned: by Little's law rps x time / utilization
 * environments, paid all the time at the lower price, and time of requests at the lower price. An endpoint: rps x GPU time /
 * utilization instances by the hour, and the function in front, which waits for it.
 */
export function compareTargets(load: Load): readonly TargetCost[] {
  return costs(load, Math.ceil);
}

/** @param whole - How parts of environments and instances count. */
function costs(load: Load, whole: (units: number) => number): readonly TargetCost[] {
  const { rps, cpuMs, gpuMs, memoryMiB, architecture, instance } = load;
  const requests = rps * MONTH_SECONDS;
  const gib = memoryMiB / 1024;
  const requestUsd = (requests * PRICES.lambdaMillionRequests) / 1e6;
  const onDemand = (ms: number) => (requests * gib * ms * PRICES.lambdaGibSecond[architecture]) / 1000;
  const localMs = cpuMs + FUNCTION_MS;
  const environments = Math.max(1, whole((rps * localMs) / 1000 / UTILIZATION));
  const provisionedUsd =
    environments * gib * MONTH_SECONDS * PRICES.lambdaProvisionedGibSecond[architecture] +
    (requests * gib * localMs * PRICES.lambdaProvisionedDurationGibSecond[architecture]) / 1000;
  const instances = Math.max(1, whole((rps * gpuMs) / 1000 / (UTILIZATION * instance.gpus)));
  const waitMs = p95WaitMs(rps, gpuMs, Math.ceil(instances) * instance.gpus);
  const remoteMs = FUNCTION_MS + ENDPOINT_CALL_MS + gpuMs;
  return [
    { target: 'lambda', usd: requestUsd + onDemand(localMs), p95Ms: localMs, units: (rps * localMs) / 1000 },
    { target: 'lambda-provisioned', usd: requestUsd + provisionedUsd, p95Ms: localMs, units: environments },
    {
      target: 'sagemaker',
      usd: (instances * instance.usdPerHour * MONTH_SECONDS) / 3600 + requestUsd + onDemand(remoteMs),
      p95Ms: remoteMs + waitMs,
      units: instances,
    },
  ];
}

/**
 * Returns time that 95 of 100 requests wait for one of several servers at most: Erlang C and its exponential tail (Erlang 1917;
 * Kleinrock, Queueing Systems I, §3.8). Service times that vary less, as a GPU's do, wait less.
 *
 * @param rps - Arrivals a second.
 * @param serviceMs - Mean service time.
 * @param servers - Servers, more than the load keeps busy.
 */
export function p95WaitMs(rps: number, serviceMs: number, servers: number): number {
  const offered = (rps * serviceMs) / 1000;
  if (offered >= servers) return Number.POSITIVE_INFINITY;
  const waits = erlangC(offered, servers);
  if (waits <= 0.05) return 0;
  return (Math.log(waits / 0.05) * serviceMs) / (servers - offered);
}

/** Probability that a request finds all servers busy, by the recurrence of Erlang B. */
function erlangC(offered: number, servers: number): number {
  let blocked = 1;
  for (let count = 1; count <= servers; count++) blocked = (offered * blocked) / (count + offered * blocked);
  return blocked / (1 - (offered / servers) * (1 - blocked));
}

/** Beyond so many requests a second nothing is looked for. */
const MAX_RPS = 1e6;

/**
 * Computes the load above which an endpoint costs less than the cheaper of the two kinds of functions.
 *
 * Costs jump when one more environment or instance starts, so the cheaper target alternates near that load. This
 * function therefore counts fractions of environments and instances beyond the first. The result is exact to one part
 * in a thousand.
 *
 * @returns Requests a second; undefined if functions are cheaper at any load.
 */
export function crossoverRps(load: Omit<Load, 'rps'>): number | undefined {
  const isEndpointCheaper = (rps: number): boolean => {
    const [lambda = Number.NaN, provisioned = Number.NaN, endpoint = Number.NaN] = costs(
      { ...load, rps },
      (units) => units,
    ).map(({ usd }) => usd);
    return endpoint < Math.min(lambda, provisioned);
  };
  let high = 0.001;
  while (!isEndpointCheaper(high)) {
    high *= 1.05;
    if (high > MAX_RPS) return undefined;
  }
  let low = high / 1.05;
  while (high - low > high / 1000) {
    const middle = (low + high) / 2;
    if (isEndpointCheaper(middle)) high = middle;
    else low = middle;
  }
  return high;
}
