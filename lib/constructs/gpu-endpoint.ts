import { join } from 'node:path';
import { Aws, Duration, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, MathExpression, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { Grant, type IGrantable, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { CfnEndpoint, CfnEndpointConfig, type CfnEndpointConfigProps, CfnModel } from 'aws-cdk-lib/aws-sagemaker';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { AppError } from '../../core/errors.ts';
import { asyncEndpointName, variantName } from '../../core/gpu/endpoint-contract.ts';
import { gpuInstanceType } from '../../core/gpu/instance-types.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { instanceBounds, type SageMakerCompute } from '../../core/manifest.ts';
import { trafficOf } from '../../core/traffic.ts';
import { hashFacts } from '../content-hash.ts';
import { endpointPackageHash } from '../endpoint-package.ts';
import type { Model } from '../model.ts';
import { type ContainerImage, ownImage, tritonImage } from '../triton-image.ts';
import { DEFAULT_CONCURRENCY, EndpointScaling } from './endpoint-scaling.ts';
import type { PayloadBucket } from './payload-bucket.ts';

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
   * Where an asynchronous endpoint finds its requests and leaves its answers: the bucket of the deployment's jobs.
   *
   * @default - none; a model whose manifest says `mode: async` needs one
   */
  readonly payloadBucket?: PayloadBucket;
  /**
   * How long the containers' logs are kept.
   *
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays;
}

/** Most characters of an endpoint's name. */
const MAX_NAME_CHARACTERS = 63;

/** Characters that {@link asyncEndpointName} adds at most. */
const VERSION_CHARACTERS = 11;

/** Failed requests in a minute that roll an update back. */
const ROLLBACK_FAILURES = 5;

/**
 * How an update replaces instances: old ones stay until the new ones have answered for a while, and come back when they
 * fail. A part of the traffic moves first where there are two instances to do that with.
 */
const UPDATE = {
  canaryPercent: 50,
  linearPercent: 25,
  bakeSeconds: 300,
  terminationSeconds: 300,
  longestSeconds: 3600,
};

/**
 * One model on GPU instances of Amazon SageMaker: a Triton container for each version, behind one endpoint.
 *
 * An update is made blue/green and rolled back by an alarm. Weights and counts that operators changed since stay as they
 * are.
 *
 * @see https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html
 */
export class GpuEndpoint extends Construct {
  /** For what this construct has no setting for: one endpoint, or one for each version where they are asynchronous. */
  readonly endpoints: readonly CfnEndpoint[];
  /** Name of the endpoint; what those of the versions begin with where they are asynchronous. */
  readonly endpointName: string;
  /** Hears of each request that an asynchronous endpoint ended; undefined for a realtime one. */
  readonly notifications: Topic | undefined;
  /** Alarms that the endpoint has, those of scaling included. */
  readonly alarms: number;
  /** The model that runs here. */
  readonly model: Model;
  readonly #compute: SageMakerCompute;
  readonly #payloadBucket: PayloadBucket | undefined;
  readonly #versions: readonly string[];

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
    this.#versions = Object.keys(model.packed.versions);
    this.#payloadBucket = compute.mode === 'async' ? bucketFor(model, props.payloadBucket) : undefined;
    this.notifications = this.#payloadBucket === undefined ? undefined : new Topic(this, 'Ended', { enforceSSL: true });
    const image = compute.image === undefined ? tritonImage(this) : ownImage(compute.image);
    const groups =
      compute.mode === 'async'
        ? this.#versions.map((version) => ({
            name: asyncEndpointName(this.endpointName, version),
            versions: [version],
          }))
        : [{ name: this.endpointName, versions: this.#versions }];
    const logGroups = groups.map(({ name, versions }) =>
      this.#createLogGroup(this.#idOf('Logs', versions), name, props.logRetention),
    );
    const role = this.#createRole(image, logGroups);
    const variants = new Map(
      this.#versions.map((version) => [version, this.#createVariant(version, image, role)] as const),
    );
    this.endpoints = groups.map(({ name, versions }) => {
      const productionVariants = versions.flatMap((version) => variants.get(version) ?? []);
      const endpoint = this.#createEndpoint(name, versions, { productionVariants, encryptionKey });
      endpoint.node.addDependency(role, ...logGroups);
      return endpoint;
    });
    const scaling = groups.flatMap(({ name: endpointName, versions }, index) =>
      versions.map((version) => {
        const endpoint = this.endpoints[index] as CfnEndpoint;
        return new EndpointScaling(this, `Scaling${version}`, { endpoint, endpointName, version, compute });
      }),
    );
    // A rollback alarm is paid by the metrics in it: one for each version.
    this.alarms = scaling.reduce((sum, { alarms }) => sum + alarms, this.#versions.length);
  }

  /** Whether requests wait for the endpoint, and nobody for their answers. */
  get isAsync(): boolean {
    return this.#compute.mode === 'async';
  }

  /** Lets `grantee` ask the endpoint for predictions; an asynchronous one through the bucket of payloads. */
  grantInvoke(grantee: IGrantable): Grant {
    this.#payloadBucket?.grantObjects(grantee, 'invocations', ['GetObject', 'PutObject']);
    const action = this.isAsync ? 'sagemaker:InvokeEndpointAsync' : 'sagemaker:InvokeEndpoint';
    const names = this.isAsync
      ? this.#versions.map((version) => asyncEndpointName(this.endpointName, version))
      : [this.endpointName];
    return Grant.addToPrincipal({ grantee, actions: [action], resourceArns: names.map((name) => this.#arn(name)) });
  }

  #arn(name: string): string {
    const { region, account } = Stack.of(this);
    // SageMaker's ARNs hold the name in lower case.
    return `arn:${Aws.PARTITION}:sagemaker:${region}:${account}:endpoint/${name.toLowerCase()}`;
  }

  /** Resources of an asynchronous endpoint stand beside those of other versions. */
  #idOf(id: string, [version = '']: readonly string[]): string {
    return this.isAsync ? `${id}${version}` : id;
  }

  #createLogGroup(id: string, endpointName: string, retention = RetentionDays.ONE_MONTH): LogGroup {
    return new LogGroup(this, id, {
      logGroupName: `/aws/sagemaker/Endpoints/${endpointName}`,
      retention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
  }

  #createEndpoint(
    endpointName: string,
    versions: readonly string[],
    config: {
      readonly productionVariants: CfnEndpointConfig.ProductionVariantProperty[];
      readonly encryptionKey: IKey | undefined;
    },
  ): CfnEndpoint {
    const { productionVariants, encryptionKey } = config;
    const created = new CfnEndpointConfig(this, this.#idOf('Config', versions), {
      productionVariants,
      ...(encryptionKey === undefined ? {} : { kmsKeyId: encryptionKey.keyArn }),
      ...this.#asyncConfig(),
    });
    const rollback = this.#createRollbackAlarm(endpointName, versions);
    return new CfnEndpoint(this, this.#idOf('Endpoint', versions), {
      endpointName,
      endpointConfigName: created.attrEndpointConfigName,
      // What operators set since, and what scaling did, is not undone by an update.
      retainAllVariantProperties: true,
      excludeRetainedVariantProperties: [{ variantPropertyType: 'DataCaptureConfig' }],
      deploymentConfig: {
        blueGreenUpdatePolicy: {
          trafficRoutingConfiguration: routing(this.#compute),
          terminationWaitInSeconds: UPDATE.terminationSeconds,
          maximumExecutionTimeoutInSeconds: UPDATE.longestSeconds,
        },
        autoRollbackConfiguration: { alarms: [{ alarmName: rollback.alarmName }] },
      },
    });
  }

  #asyncConfig(): Pick<CfnEndpointConfigProps, 'asyncInferenceConfig'> {
    const [bucket, topic] = [this.#payloadBucket?.bucket, this.notifications];
    if (bucket === undefined || topic === undefined) return {};
    return {
      asyncInferenceConfig: {
        clientConfig: {
          maxConcurrentInvocationsPerInstance: Math.ceil(this.#compute.instances.concurrency ?? DEFAULT_CONCURRENCY),
        },
        outputConfig: {
          s3OutputPath: bucket.s3UrlForObject(payloadKeys.asyncOutputs('outputs')),
          s3FailurePath: bucket.s3UrlForObject(payloadKeys.asyncOutputs('failures')),
          notificationConfig: { successTopic: topic.topicArn, errorTopic: topic.topicArn },
        },
      },
    };
  }

  #createVariant(version: string, image: ContainerImage, role: Role): CfnEndpointConfig.ProductionVariantProperty {
    const { model } = this;
    const { instanceType } = this.#compute;
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
      // An endpoint can't be made without instances; scaling takes those away that have nothing to do.
      initialInstanceCount: Math.max(1, instanceBounds(this.#compute).min),
      instanceType,
    };
  }

  /** What a container may do: read its model, be pulled, write its log and its metrics. It has no network besides. */
  #createRole({ repositoryArn }: ContainerImage, logGroups: readonly LogGroup[]): Role {
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('sagemaker.amazonaws.com') });
    for (const logGroup of logGroups) logGroup.grantWrite(role);
    this.#payloadBucket?.grantObjects(role, 'invocations', ['GetObject', 'PutObject', 'AbortMultipartUpload']);
    this.notifications?.grantPublish(role);
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

  #createRollbackAlarm(endpointName: string, versions: readonly string[]): Alarm {
    const usingMetrics = Object.fromEntries(
      versions.map((version) => [`m${version}`, this.#metricFailures(endpointName, version)]),
    );
    return new Alarm(this, this.#idOf('Failures', versions), {
      alarmName: `${endpointName}-failures`,
      alarmDescription: `Requests that containers of ${endpointName} failed to answer; rolls an update back`,
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

  #metricFailures(endpointName: string, version: string): Metric {
    return new Metric({
      namespace: 'AWS/SageMaker',
      ...(this.isAsync
        ? { metricName: 'InvocationFailures', dimensionsMap: { EndpointName: endpointName } }
        : {
            metricName: 'Invocation5XXErrors',
            dimensionsMap: { EndpointName: endpointName, VariantName: variantName(version) },
          }),
      statistic: 'Sum',
      period: Duration.minutes(1),
    });
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

/** A canary must be half of the instances at most: a single one can't be divided. */
function routing(compute: SageMakerCompute): CfnEndpoint.TrafficRoutingConfigProperty {
  if (instanceBounds(compute).min < 2) return { type: 'ALL_AT_ONCE', waitIntervalInSeconds: UPDATE.bakeSeconds };
  if (compute.shift === 'linear') {
    return {
      type: 'LINEAR',
      linearStepSize: { type: 'CAPACITY_PERCENT', value: UPDATE.linearPercent },
      waitIntervalInSeconds: UPDATE.bakeSeconds,
    };
  }
  return {
    type: 'CANARY',
    canarySize: { type: 'CAPACITY_PERCENT', value: UPDATE.canaryPercent },
    waitIntervalInSeconds: UPDATE.bakeSeconds,
  };
}

function bucketFor({ id }: Model, bucket: PayloadBucket | undefined): PayloadBucket {
  if (bucket !== undefined) return bucket;
  throw new AppError(
    'CONFIG_INVALID',
    `the model ${id} has compute.mode async and needs the deployment's jobs: its endpoint gets a payloadBucket, which is none`,
  );
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
  const most = MAX_NAME_CHARACTERS - VERSION_CHARACTERS;
  if (clean.length <= most) return clean;
  return `${clean.slice(0, most - 9)}-${hashFacts([clean]).slice(0, 8)}`;
}
