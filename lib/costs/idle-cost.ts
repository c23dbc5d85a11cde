import { Annotations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { LOCAL_CONTEXT } from '../../core/config/local-context.ts';
import { type CostLine, idleMonthlyUsd, type PricedEndpoint, type PricedQueues } from '../../core/costs/cost.ts';
import { PRICES_REGION } from '../../core/costs/prices.ts';
import { AppError } from '../../core/errors.ts';
import type { MetricsLevel } from '../../core/functions/metrics-level.ts';
import type { SystemLogLevel } from '../../core/functions/system-log-level.ts';
import { instanceBounds } from '../../core/models/manifest.ts';
import { deployedVersions } from '../../core/models/packed-model.ts';
import type { GpuEndpoint } from '../endpoints/gpu-endpoint.ts';
import type { Model } from '../packaging/model.ts';

/** The billable parts of a deployment. */
export interface Deployed {
  readonly models: readonly Model[];
  /**
   * Queues of jobs.
   *
   * @default - none
   */
  readonly queues?: PricedQueues;
  /**
   * Endpoints on GPUs.
   *
   * @default - none
   */
  readonly endpoints?: readonly GpuEndpoint[];
  /**
   * Metrics in alarms on the API and on functions of models.
   *
   * @default 0
   */
  readonly alarms?: number;
  /**
   * How much the functions measure.
   *
   * @default 'basic'
   */
  readonly metrics?: MetricsLevel;
  /**
   * Which lines AWS Lambda itself writes about invocations.
   *
   * @default 'INFO'
   */
  readonly systemLogLevel?: SystemLogLevel;
  /**
   * Whether requests are traced by AWS X-Ray.
   *
   * @default false
   */
  readonly tracing?: boolean;
}

/**
 * Computes the cost of a deployment in a month without requests.
 *
 * @returns US dollars, in all and line by line.
 */
export function idleCost({ models, queues, endpoints = [], alarms }: Deployed): {
  readonly total: number;
  readonly lines: readonly CostLine[];
} {
  const functions = models.map(({ manifest: { compute } }) => ({
    memoryMiB: compute.memoryMiB,
    architecture: compute.architecture,
    provisionedMin: compute.provisioned?.min ?? 0,
  }));
  return idleMonthlyUsd(functions, { queues, endpoints: endpoints.map(pricedEndpoint), alarms });
}

function pricedEndpoint({ model: { manifest, packed }, alarmCount: alarms }: GpuEndpoint): PricedEndpoint {
  const { compute } = manifest;
  // GpuEndpoint accepts no other models.
  if (compute.target !== 'sagemaker') return { instanceType: '', instances: 0, alarms };
  const { instanceType } = compute;
  return {
    instanceType,
    instances: instanceBounds(compute).min * Object.keys(deployedVersions(packed)).length,
    alarms,
  };
}

/** A limit of the cost while idle. */
export interface IdleCostLimit {
  /** US dollars a month; absent means no limit. */
  readonly maxUsd: number | undefined;
  /** File or construct that sets the limit, for the message. */
  readonly source: string;
}

/**
 * Checks the cost of a deployment while idle against its limit. In local mode, a limit that is exceeded is a warning.
 *
 * @param scope - Construct that the warning belongs to.
 * @throws AppError `CONFIG_INVALID` that names the limit, where it is set, and what costs money.
 */
export function checkIdleCost(scope: Construct, deployed: Deployed, { maxUsd, source }: IdleCostLimit): void {
  const { total, lines } = idleCost(deployed);
  if (maxUsd === undefined || total <= maxUsd) return;
  const causes = lines.filter(({ usd }) => usd > 0).map(({ what, usd }) => `${what}: ${formatUsd(usd)}`);
  const limit = `maxIdleMonthlyUsd allows ${formatUsd(maxUsd)} (prices of ${PRICES_REGION})`;
  if (scope.node.tryGetContext(LOCAL_CONTEXT) === undefined) {
    const cost = `the deployment costs ${formatUsd(total)} a month while idle (${causes.join('; ')})`;
    throw new AppError('CONFIG_INVALID', `${source}: ${cost}, ${limit}`, { param: 'maxIdleMonthlyUsd' });
  }
  Annotations.of(scope).addWarningV2(
    'Tensorgate:IdleCost',
    `${source}: ${limit}, but a deployment would cost ${formatUsd(total)} a month while idle. ` +
      'Local mode costs nothing; cdk deploy fails until you raise the limit',
  );
}

/** Writes US dollars with two decimals. */
export function formatUsd(usd: number): string {
  return `$${usd.toFixed(2)}`;
}
