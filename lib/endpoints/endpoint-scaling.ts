import { Aws, Duration, Stack, TimeZone } from 'aws-cdk-lib';
import {
  CfnScalingPolicy,
  PredefinedMetric,
  ScalableTarget,
  Schedule,
  ServiceNamespace,
} from 'aws-cdk-lib/aws-applicationautoscaling';
import { CfnAlarm, Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Role } from 'aws-cdk-lib/aws-iam';
import type { CfnEndpoint } from 'aws-cdk-lib/aws-sagemaker';
import { Construct } from 'constructs';
import { instanceBounds, type SageMakerCompute } from '../../core/models/manifest.ts';
import { variantName } from '../../core/sagemaker/endpoint-contract.ts';

/** Requests that one copy of a model works on, beyond which another instance pays; two batches of eight. */
export const DEFAULT_CONCURRENCY = 16;

/** Requests that wait for each instance of an asynchronous endpoint, beyond which another pays. */
const DEFAULT_BACKLOG = 5;

/** Scaling out is quick, scaling in is slow: an instance takes minutes to start. */
const COOLDOWN = { out: Duration.seconds(60), in: Duration.minutes(10) };

/** Alarms that target tracking creates, and the alarm that starts the first instance of an endpoint without any. */
const [TRACKING_ALARMS, WAKING_ALARMS] = [2, 1];

/** Settings of {@link EndpointScaling}. */
export interface EndpointScalingProps {
  readonly endpoint: CfnEndpoint;
  readonly endpointName: string;
  readonly version: string;
  readonly compute: SageMakerCompute;
}

/**
 * Scales the instances of one version: a realtime endpoint by the requests that its instances work on, an asynchronous one
 * by those that wait for them.
 *
 * @see https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-autoscale.html
 */
export class EndpointScaling extends Construct {
  /** Alarms that decide it; none where the number of instances is fixed. */
  readonly alarms: number;
  readonly #props: EndpointScalingProps;

  constructor(scope: Construct, id: string, props: EndpointScalingProps) {
    super(scope, id);
    this.#props = props;
    const { compute, endpoint } = props;
    const { min, max } = instanceBounds(compute);
    const { schedules } = compute.instances;
    if (max === min && schedules.length === 0) {
      this.alarms = 0;
      return;
    }
    const target = new ScalableTarget(this, 'Target', {
      serviceNamespace: ServiceNamespace.SAGEMAKER,
      resourceId: `endpoint/${props.endpointName}/variant/${variantName(props.version)}`,
      scalableDimension: 'sagemaker:variant:DesiredInstanceCount',
      minCapacity: min,
      maxCapacity: max,
      role: Role.fromRoleArn(this, 'Role', serviceLinkedRole(this)),
    });
    target.node.addDependency(endpoint);
    for (const [index, { cron, timeZone, min: minCapacity, max: maxCapacity }] of schedules.entries()) {
      target.scaleOnSchedule(`Schedule${index}`, {
        schedule: Schedule.expression(`cron(${cron})`),
        timeZone: TimeZone.of(timeZone),
        minCapacity,
        maxCapacity,
      });
    }
    if (compute.mode === 'async') this.#scaleByBacklog(target);
    else this.#scaleByRequests(target);
    const wakes = compute.mode === 'async' && (min === 0 || schedules.some((schedule) => schedule.min === 0));
    if (wakes) this.#wake(target);
    this.alarms = TRACKING_ALARMS + (wakes ? WAKING_ALARMS : 0);
  }

  #scaleByRequests(target: ScalableTarget): void {
    const { invocationsPerMinute, concurrency } = this.#props.compute.instances;
    target.scaleToTrackMetric('Load', {
      ...(invocationsPerMinute === undefined
        ? {
            predefinedMetric: PredefinedMetric.SAGEMAKER_VARIANT_CONCURRENT_REQUESTS_PER_MODEL_HIGH_RESOLUTION,
            targetValue: concurrency ?? DEFAULT_CONCURRENCY,
          }
        : {
            predefinedMetric: PredefinedMetric.SAGEMAKER_VARIANT_INVOCATIONS_PER_INSTANCE,
            targetValue: invocationsPerMinute,
          }),
      scaleOutCooldown: COOLDOWN.out,
      scaleInCooldown: COOLDOWN.in,
    });
  }

  #scaleByBacklog(target: ScalableTarget): void {
    target.scaleToTrackMetric('Load', {
      customMetric: this.#metric('ApproximateBacklogSizePerInstance'),
      targetValue: this.#props.compute.instances.backlog ?? DEFAULT_BACKLOG,
      scaleOutCooldown: COOLDOWN.out,
      scaleInCooldown: COOLDOWN.in,
    });
  }

  /**
   * Without instances there is no backlog for each instance, so the first waiting request starts the first instance.
   */
  #wake(target: ScalableTarget): void {
    const policy = new CfnScalingPolicy(this, 'Wake', {
      policyName: `${this.#props.endpointName}-wake`,
      policyType: 'StepScaling',
      scalingTargetId: target.scalableTargetId,
      stepScalingPolicyConfiguration: {
        adjustmentType: 'ChangeInCapacity',
        metricAggregationType: 'Average',
        cooldown: COOLDOWN.out.toSeconds(),
        stepAdjustments: [{ metricIntervalLowerBound: 0, scalingAdjustment: 1 }],
      },
    });
    new CfnAlarm(this, 'Waiting', {
      alarmDescription: `Requests wait for ${this.#props.endpointName}, which has no instance; starts one`,
      namespace: 'AWS/SageMaker',
      metricName: 'HasBacklogWithoutCapacity',
      dimensions: [{ name: 'EndpointName', value: this.#props.endpointName }],
      statistic: 'Average',
      period: 60,
      evaluationPeriods: 1,
      threshold: 1,
      comparisonOperator: 'GreaterThanOrEqualToThreshold',
      treatMissingData: 'missing',
      alarmActions: [policy.ref],
    });
  }

  #metric(metricName: string): Metric {
    return new Metric({
      namespace: 'AWS/SageMaker',
      metricName,
      dimensionsMap: { EndpointName: this.#props.endpointName },
      statistic: Stats.AVERAGE,
    });
  }
}

function serviceLinkedRole(scope: Construct): string {
  const { account } = Stack.of(scope);
  const service = 'sagemaker.application-autoscaling.amazonaws.com';
  return `arn:${Aws.PARTITION}:iam::${account}:role/aws-service-role/${service}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint`;
}
