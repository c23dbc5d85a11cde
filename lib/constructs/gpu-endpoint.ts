import { join } from 'node:path';
import { Aws, Duration, RemovalPolicy, Stack, TimeZone, Validations } from 'aws-cdk-lib';
import { PredefinedMetric, ScalableTarget, Schedule, ServiceNamespace } from 'aws-cdk-lib/aws-applicationautoscaling';
import { Alarm, ComparisonOperator, MathExpression, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { Grant, type IGrantable, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { CfnEndpoint, CfnEndpointConfig, CfnModel } from 'aws-cdk-lib/aws-sagemaker';
import { Construct } from 'constructs';
import { AppError } from '../../core/errors.ts';
import { variantName } from '../../core/gpu/endpoint-contract.ts';
import { gpuInstanceType } from '../../core/gpu/instance-types.ts';
import type { SageMakerCompute } from '../../core/manifest.ts';
import { trafficOf } from '../../core/traffic.ts';
import { hashFacts } from '../content-hash.ts';
import { endpointPackageHash } from '../endpoint-package.ts';
import type { Model } from '../model.ts';
import { type ContainerImage, tritonImage } from '../triton-image.ts';

/** Settings of a {@link GpuEndpoint}. */
export interface GpuEndpointProps {
  /** The model to run; its manifest must say `target: sagemaker`, and sets instances and scaling. */
  readonly model: Model;
  /**
   * Key for the volumes of the instances. Instance types with local storage encrypt that by hardware and take no key.
   *
   * @default - AWS's own key
   */
  readonly encryptionKey?: IKey;
  /**
   * How long the containers' logs are kept.
   *
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays;
}

/** Most characters of an endpoint's name. */
const MAX_NAME_CHARACTERS = 63;

/** Requests that one copy of a model works on, beyond which another instance pays; two batches of eight. */
const DEFAULT_CONCURRENCY = 16;

/** Failed requests in a minute that roll an update back. */
const ROLLBACK_FAILURES = 5;

/**
 * How an update replaces instances: old ones stay until the new ones have answered for a while, and come back when they
 * fail. A part of the traffic moves first where there are two instances to do that with.
 */
const UPDATE = { canaryPercent: 50, bakeSeconds: 300, terminationSeconds: 300, longestSeconds: 3600 };

/** Scaling out is quick, scaling in is slow: an instance takes minutes to start. */
const COOLDOWN = { out: Duration.seconds(60), in: Duration.minutes(10) };

/**
 * One model on GPU instances of Amazon SageMaker: a Triton container for each version, behind one endpoint.
 *
 * An update is made blue/green and rolled back by an alarm. Weights and counts that operators changed since stay as they
 * are.
 *
 * @see https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html
 */
export class GpuEndpoint extends Construct {
  /** The endpoint, for what this construct has no setting for. */
  readonly endpoint: CfnEndpoint;
  /** Name of the endpoint. */
  readonly endpointName: string;
  /** Alarms that the endpoint has, those of scaling included. */
  readonly alarms: number;
  /** The model that runs here. */
  readonly model: Model;
  readonly #compute: SageMakerCompute;

  /** @throws AppError `CONFIG_INVALID` when the model does not run on an endpoint, or the key can't be used. */
  constructor(scope: Construct, id: string, props: GpuEndpointProps) {
    super(scope, id);
    const { model, encryptionKey } = props;
    const { compute } = model.manifest;
    if (compute.target !== 'sagemaker') {
      throw new AppError('CONFIG_INVALID', `the model ${model.id} has compute.target ${compute.target}, not sagemaker`);
    }
    checkKey(compute, encryptionKey);
    this.model = model;
    this.#compute = compute;
    this.endpointName = shortened(`${Stack.of(this).stackName}-${model.id}`);
    const image = tritonImage(this);
    const logGroup = new LogGroup(this, 'Logs', {
      logGroupName: `/aws/sagemaker/Endpoints/${this.endpointName}`,
      retention: props.logRetention ?? RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = this.#createRole(image, logGroup);
    const config = new CfnEndpointConfig(this, 'Config', {
      productionVariants: Object.keys(model.packed.versions).map((version) =>
        this.#createVariant(version, image, role),
      ),
      ...(encryptionKey === undefined ? {} : { kmsKeyId: encryptionKey.keyArn }),
    });
    const rollback = this.#createRollbackAlarm();
    this.endpoint = new CfnEndpoint(this, 'Endpoint', {
      endpointName: this.endpointName,
      endpointConfigName: config.attrEndpointConfigName,
      // What operators set since, and what scaling did, is not undone by an update.
      retainAllVariantProperties: true,
      excludeRetainedVariantProperties: [{ variantPropertyType: 'DataCaptureConfig' }],
      deploymentConfig: {
        blueGreenUpdatePolicy: {
          trafficRoutingConfiguration: routing(compute),
          terminationWaitInSeconds: UPDATE.terminationSeconds,
          maximumExecutionTimeoutInSeconds: UPDATE.longestSeconds,
        },
        autoRollbackConfiguration: { alarms: [{ alarmName: rollback.alarmName }] },
      },
    });
    this.endpoint.node.addDependency(role, logGroup);
    const scaled = this.#addScaling();
    this.alarms = Object.keys(model.packed.versions).length + scaled * 2;
  }

  /** Lets `grantee` ask the endpoint for predictions. */
  grantInvoke(grantee: IGrantable): Grant {
    return Grant.addToPrincipal({ grantee, actions: ['sagemaker:InvokeEndpoint'], resourceArns: [this.#arn()] });
  }

  #arn(): string {
    const { region, account } = Stack.of(this);
    // SageMaker's ARNs hold the name in lower case.
    return `arn:${Aws.PARTITION}:sagemaker:${region}:${account}:endpoint/${this.endpointName.toLowerCase()}`;
  }

  #createVariant(version: string, image: ContainerImage, role: Role): CfnEndpointConfig.ProductionVariantProperty {
    const { model } = this;
    const { instanceType, instances } = this.#compute;
    const packed = model.packed.versions[version];
    const asset = new Asset(this, `Package${version}`, {
      path: join(model.packedDirectory, packed?.file ?? ''),
      assetHash: endpointPackageHash(model, version),
    });
    role.addToPolicy(
      new PolicyStatement({ actions: ['s3:GetObject'], resources: [asset.bucket.arnForObjects(asset.s3ObjectKey)] }),
    );
    const created = new CfnModel(this, `Model${version}`, {
      executionRoleArn: role.roleArn,
      enableNetworkIsolation: true,
      primaryContainer: {
        image: image.uri,
        modelDataUrl: asset.s3ObjectUrl,
        environment: { SAGEMAKER_TRITON_DEFAULT_MODEL_NAME: model.id },
      },
    });
    created.node.addDependency(role);
    return {
      modelName: created.attrModelName,
      variantName: variantName(version),
      // Requests of Tensorgate name their variant; the weight counts for those who call the endpoint themselves.
      initialVariantWeight: trafficOf(model.manifest)[version] ?? 0,
      initialInstanceCount: instances.min,
      instanceType,
    };
  }

  /** What a container may do: read its model, be pulled, write its log and its metrics. It has no network besides. */
  #createRole({ repositoryArn }: ContainerImage, logGroup: LogGroup): Role {
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('sagemaker.amazonaws.com') });
    logGroup.grantWrite(role);
    const pull = ['ecr:BatchCheckLayerAvailability', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchGetImage'];
    role.addToPolicy(new PolicyStatement({ actions: pull, resources: [repositoryArn] }));
    role.addToPolicy(new PolicyStatement({ actions: ['ecr:GetAuthorizationToken'], resources: ['*'] }));
    role.addToPolicy(
      new PolicyStatement({
        actions: ['cloudwatch:PutMetricData'],
        resources: ['*'],
        conditions: { StringLike: { 'cloudwatch:namespace': '*SageMaker*' } },
      }),
    );
    Validations.of(role).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason:
        'ecr:GetAuthorizationToken and cloudwatch:PutMetricData have no resources; the latter is bound to a namespace.',
    });
    return role;
  }

  #createRollbackAlarm(): Alarm {
    const versions = Object.keys(this.model.packed.versions);
    const usingMetrics = Object.fromEntries(versions.map((version) => [`m${version}`, this.#metric5xx(version)]));
    return new Alarm(this, 'Failures', {
      alarmName: `${this.endpointName}-failures`,
      alarmDescription: `Requests that containers of ${this.endpointName} failed to answer; rolls an update back`,
      metric: new MathExpression({
        expression: versions.map((version) => `FILL(m${version}, 0)`).join(' + '),
        usingMetrics,
        period: Duration.minutes(1),
        label: 'failed requests',
      }),
      threshold: ROLLBACK_FAILURES,
      evaluationPeriods: 2,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
  }

  #metric5xx(version: string): Metric {
    return new Metric({
      namespace: 'AWS/SageMaker',
      metricName: 'Invocation5XXErrors',
      dimensionsMap: { EndpointName: this.endpointName, VariantName: variantName(version) },
      statistic: 'Sum',
      period: Duration.minutes(1),
    });
  }

  /** @returns How many variants scale. */
  #addScaling(): number {
    const { min, max, invocationsPerMinute, concurrency, schedules } = this.#compute.instances;
    if (max === min && schedules.length === 0) return 0;
    const versions = Object.keys(this.model.packed.versions);
    for (const version of versions) {
      const target = new ScalableTarget(this, `Scaling${version}`, {
        serviceNamespace: ServiceNamespace.SAGEMAKER,
        resourceId: `endpoint/${this.endpointName}/variant/${variantName(version)}`,
        scalableDimension: 'sagemaker:variant:DesiredInstanceCount',
        minCapacity: min,
        maxCapacity: max,
        role: Role.fromRoleArn(this, `ScalingRole${version}`, serviceLinkedRole(this)),
      });
      target.node.addDependency(this.endpoint);
      for (const [index, { cron, timeZone, min: minCapacity, max: maxCapacity }] of schedules.entries()) {
        target.scaleOnSchedule(`Schedule${index}`, {
          schedule: Schedule.expression(`cron(${cron})`),
          ...{ timeZone: TimeZone.of(timeZone), minCapacity, maxCapacity },
        });
      }
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
    return versions.length;
  }
}

/** The endpoint of a model among several. */
export function endpointOf({ id }: Model, endpoints: readonly GpuEndpoint[] = []): GpuEndpoint | undefined {
  return endpoints.find(({ model }) => model.id === id);
}

/**
 * The endpoint of a model, where it has one.
 *
 * @throws AppError `CONFIG_INVALID` when the model runs on an endpoint and this is none, or another model's.
 */
export function endpointFor(model: Model, endpoint: GpuEndpoint | undefined): GpuEndpoint | undefined {
  if (model.manifest.compute.target === 'lambda') return undefined;
  if (endpoint?.model.id === model.id) return endpoint;
  throw new AppError(
    'CONFIG_INVALID',
    `the model ${model.id} has compute.target sagemaker and needs its GpuEndpoint, got ${endpoint === undefined ? 'none' : `that of ${endpoint.model.id}`}`,
  );
}

function serviceLinkedRole(scope: Construct): string {
  const { account } = Stack.of(scope);
  const service = 'sagemaker.application-autoscaling.amazonaws.com';
  return `arn:${Aws.PARTITION}:iam::${account}:role/aws-service-role/${service}/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint`;
}

/** A canary must be half of the instances at most: a single one can't be divided. */
function routing({ instances: { min } }: SageMakerCompute): CfnEndpoint.TrafficRoutingConfigProperty {
  if (min === 1) return { type: 'ALL_AT_ONCE', waitIntervalInSeconds: UPDATE.bakeSeconds };
  return {
    type: 'CANARY',
    canarySize: { type: 'CAPACITY_PERCENT', value: UPDATE.canaryPercent },
    waitIntervalInSeconds: UPDATE.bakeSeconds,
  };
}

function checkKey({ instanceType }: SageMakerCompute, key: IKey | undefined): void {
  if (key === undefined || gpuInstanceType(instanceType)?.hasLocalStorage !== true) return;
  throw new AppError(
    'CONFIG_INVALID',
    `encryptionKey can't be used with ${instanceType}: its local storage is encrypted by hardware, and SageMaker refuses a key`,
  );
}

/** A name that is too long keeps its beginning, and what tells it from others. */
function shortened(name: string): string {
  const clean = name.replaceAll(/[^a-zA-Z0-9-]/g, '-');
  if (clean.length <= MAX_NAME_CHARACTERS) return clean;
  return `${clean.slice(0, MAX_NAME_CHARACTERS - 9)}-${hashFacts([clean]).slice(0, 8)}`;
}
