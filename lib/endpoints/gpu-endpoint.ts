import { Aws, Stack, Validations } from 'aws-cdk-lib';
import { Grant, type IGrantable, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import type { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { CfnEndpoint, CfnEndpointConfig } from 'aws-cdk-lib/aws-sagemaker';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { AppError } from '../../core/errors.ts';
import type { ObjectAction } from '../../core/functions/permissions.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { gpuInstanceType } from '../../core/models/gpu-instance-types.ts';
import type { SageMakerCompute } from '../../core/models/manifest.ts';
import { isPlainModelId } from '../../core/models/model-id.ts';
import { endpointName } from '../../core/sagemaker/endpoint-contract.ts';
import { manifestTraffic } from '../../core/traffic/traffic.ts';
import { grantObjects } from '../data/payload-bucket.ts';
import { hashFacts } from '../packaging/content-hash.ts';
import type { Model } from '../packaging/model.ts';
import { type ContainerImage, containerImage } from './container-images.ts';
import { DEFAULT_CONCURRENCY } from './endpoint-scaling.ts';
import { VersionEndpoint } from './version-endpoint.ts';

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
   * Bucket from which an asynchronous endpoint reads requests and to which it writes responses: that of the `Jobs`.
   *
   * @default - none; a model whose manifest says `mode: async` needs one
   */
  readonly payloadBucket?: IBucket;
  /**
   * How long the containers' logs are kept.
   *
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: RetentionDays;
}

/** Maximum length of an endpoint's name. */
const MAX_NAME_CHARACTERS = 63;

/** Characters that the version adds to it at most. */
const VERSION_CHARACTERS = 11;

/**
 * One model on GPU instances of Amazon SageMaker: a container for each version, each behind an endpoint of its own.
 *
 * An update is made blue/green and rolled back by an alarm. Counts of instances that operators changed since stay as they
 * are.
 *
 * @see https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html
 *
 * @example
 * const model = Model.fromDirectory('models/large');
 * const endpoints = [new GpuEndpoint(stack, 'Gpu', { model, encryptionKey: new Key(stack, 'Key') })];
 * new InferenceApi(stack, 'Api', { models: [model], endpoints });
 */
export class GpuEndpoint extends Construct {
  /** The endpoint of each version, for features without a property here. */
  readonly endpoints: readonly CfnEndpoint[];
  /** Prefix of the names of the versions' endpoints. */
  readonly endpointName: string;
  /** Receives a notification of each request that an asynchronous endpoint completed; undefined for a realtime one. */
  readonly notifications: Topic | undefined;
  /**
   * Number of alarms of the endpoints, including those for scaling.
   *
   * @internal
   */
  readonly alarmCount: number;
  /** The model that runs here. */
  readonly model: Model;
  readonly #compute: SageMakerCompute;
  readonly #payloadBucket: IBucket | undefined;
  readonly #versions: readonly string[];

  /** @throws AppError `CONFIG_INVALID` when the model does not run on an endpoint, or the key can't be used. */
  constructor(scope: Construct, id: string, props: GpuEndpointProps) {
    super(scope, id);
    const { model, encryptionKey, logRetention } = props;
    const { compute } = model.manifest;
    if (compute.target !== 'sagemaker') {
      throw new AppError('CONFIG_INVALID', `the model ${model.id} has compute.target ${compute.target}, not sagemaker`);
    }
    checkKey(compute, encryptionKey);
    this.model = model;
    this.#compute = compute;
    this.endpointName = endpointPrefix(Stack.of(this).stackName, model.id, compute);
    this.#versions = Object.keys(model.packed.versions);
    this.#payloadBucket = compute.mode === 'async' ? bucketFor(model, props.payloadBucket) : undefined;
    this.notifications = this.#payloadBucket === undefined ? undefined : new Topic(this, 'Ended', { enforceSSL: true });
    const image = containerImage(this, compute);
    const traffic = manifestTraffic(model.manifest);
    const common = { model, compute, imageUri: image.uri, role: this.#createRole(image), encryptionKey, logRetention };
    const created = this.#versions.map(
      (version) =>
        new VersionEndpoint(this, `V${version}`, {
          ...common,
          version,
          endpointName: endpointName(this.endpointName, version),
          shadow: traffic.shadowFor(version),
          asyncConfig: this.#asyncConfig(),
        }),
    );
    this.endpoints = created.map(({ endpoint }) => endpoint);
    this.alarmCount = created.reduce((sum, { alarms }) => sum + alarms, 0);
  }

  /** Whether the endpoint is asynchronous: it queues requests, and callers do not wait for the responses. */
  get isAsync(): boolean {
    return this.#compute.mode === 'async';
  }

  /** Grants `grantee` permission to invoke the endpoint; an asynchronous one through the payload bucket. */
  grantInvoke(grantee: IGrantable): Grant {
    this.#grantInvocations(grantee, ['GetObject', 'PutObject']);
    const action = this.isAsync ? 'sagemaker:InvokeEndpointAsync' : 'sagemaker:InvokeEndpoint';
    const resourceArns = this.#versions.map((version) => this.#arn(endpointName(this.endpointName, version)));
    return Grant.addToPrincipal({ grantee, actions: [action], resourceArns });
  }

  #grantInvocations(grantee: IGrantable, actions: readonly ObjectAction[]): void {
    if (this.#payloadBucket !== undefined) grantObjects(this.#payloadBucket, grantee, 'invocations', actions);
  }

  #arn(name: string): string {
    const { region, account } = Stack.of(this);
    // SageMaker's ARNs hold the name in lower case.
    return `arn:${Aws.PARTITION}:sagemaker:${region}:${account}:endpoint/${name.toLowerCase()}`;
  }

  #asyncConfig(): CfnEndpointConfig.AsyncInferenceConfigProperty | undefined {
    const [bucket, topic] = [this.#payloadBucket, this.notifications];
    if (bucket === undefined || topic === undefined) return undefined;
    return {
      clientConfig: {
        maxConcurrentInvocationsPerInstance: Math.ceil(this.#compute.instances.concurrency ?? DEFAULT_CONCURRENCY),
      },
      outputConfig: {
        s3OutputPath: bucket.s3UrlForObject(payloadKeys.asyncOutputs('outputs')),
        s3FailurePath: bucket.s3UrlForObject(payloadKeys.asyncOutputs('failures')),
        notificationConfig: { successTopic: topic.topicArn, errorTopic: topic.topicArn },
      },
    };
  }

  /**
   * Grants a container permission to read its model, pull its image, and write its log and metrics. It has no network.
   */
  #createRole({ repositoryArn }: ContainerImage): Role {
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('sagemaker.amazonaws.com') });
    this.#grantInvocations(role, ['GetObject', 'PutObject', 'AbortMultipartUpload']);
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
}

/** Returns the endpoint of a model among several. */
export function endpointOf({ id }: Model, endpoints: readonly GpuEndpoint[] = []): GpuEndpoint | undefined {
  return endpoints.find(({ model }) => model.id === id);
}

/**
 * Returns the endpoint of a model, if it has one.
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

function bucketFor({ id }: Model, bucket: IBucket | undefined): IBucket {
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

/**
 * Prefix of the names of a model's endpoints. Characters that SageMaker does not allow become hyphens. A name that is
 * changed or too long ends with a suffix that keeps it unique.
 *
 * Instance type and mode are part of it, so another type or mode is another endpoint. SageMaker refuses to change the
 * instance type of an endpoint that scales.
 *
 * @see https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-update.html
 */
function endpointPrefix(stackName: string, id: string, { instanceType, mode }: SageMakerCompute): string {
  const type = instanceType.replace(/^ml\./, '');
  const name = [stackName, id, type, ...(mode === 'async' ? [mode] : [])].join('-');
  const clean = name.replaceAll(/[^a-zA-Z0-9-]/g, '-');
  const most = MAX_NAME_CHARACTERS - VERSION_CHARACTERS;
  if (isPlainModelId(id) && clean.length <= most) return clean;
  const unique = isPlainModelId(id) ? clean : name;
  return `${clean.slice(0, most - 9)}-${hashFacts([unique]).slice(0, 8)}`;
}
