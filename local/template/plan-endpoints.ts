import { basename } from 'node:path';
import * as v from 'valibot';
import { AppError } from '../../core/errors.ts';
import type { PayloadReference } from '../../core/jobs/job.ts';
import { TRITON_REPOSITORY } from '../../core/sagemaker/endpoint-contract.ts';
import type { NotRun } from './plan-functions.ts';
import { cfnNumber, cfnTexts, ofType, readProperties } from './properties.ts';
import type { StackDocument } from './read-assembly.ts';
import type { Resource } from './resolve-stacks.ts';

/** One production variant of an endpoint. */
export interface VariantPlan {
  readonly name: string;
  /** Its share of requests, relative to the other variants'. */
  readonly weight: number;
  /** Path of its `model.tar.gz`. */
  readonly archive: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** One endpoint of Amazon SageMaker. */
export interface EndpointPlan {
  readonly name: string;
  readonly arn: string;
  readonly logicalId: string;
  readonly variants: readonly VariantPlan[];
  /** Gets copies of requests, as many of them as its weight is of the one other variant's. */
  readonly shadow: VariantPlan | undefined;
  /** Role of its models. */
  readonly roleArn: string | undefined;
  /** Present if the endpoint is asynchronous. */
  readonly async: AsyncPlan | undefined;
}

/** Destinations of an asynchronous endpoint's responses. */
export interface AsyncPlan {
  /** Bucket, and prefix of keys. */
  readonly output: PayloadReference;
  readonly failure: PayloadReference;
  readonly successTopic: string | undefined;
  readonly errorTopic: string | undefined;
  /** Maximum number of concurrent requests to an instance. */
  readonly maxConcurrency: number;
}

const modelSchema = v.object({
  ExecutionRoleArn: v.optional(v.string()),
  PrimaryContainer: v.object({
    Image: v.string(),
    ModelDataUrl: v.string(),
    Environment: v.optional(cfnTexts, {}),
  }),
});

const variantSchema = v.object({
  VariantName: v.string(),
  ModelName: v.string(),
  InitialVariantWeight: v.optional(cfnNumber, 1),
});

const configSchema = v.object({
  ProductionVariants: v.array(variantSchema),
  ShadowProductionVariants: v.optional(v.pipe(v.array(variantSchema), v.maxLength(1)), []),
  AsyncInferenceConfig: v.optional(
    v.object({
      ClientConfig: v.optional(v.object({ MaxConcurrentInvocationsPerInstance: v.optional(cfnNumber) }), {}),
      OutputConfig: v.object({
        S3OutputPath: v.string(),
        S3FailurePath: v.optional(v.string()),
        NotificationConfig: v.optional(
          v.object({ SuccessTopic: v.optional(v.string()), ErrorTopic: v.optional(v.string()) }),
          {},
        ),
      }),
    }),
  ),
});

const endpointSchema = v.object({ EndpointConfigName: v.string() });

/**
 * Describes the endpoints of an app.
 *
 * @returns Those that can be stood in for, and what of them does not run here.
 * @throws AppError `TEMPLATE_INVALID` when a resource is malformed or refers to one that is not there.
 */
export function planEndpoints(
  resources: readonly Resource[],
  stacks: readonly StackDocument[],
): { readonly endpoints: EndpointPlan[]; readonly notRun: NotRun[] } {
  const notRun: NotRun[] = [];
  const endpoints: EndpointPlan[] = [];
  for (const resource of ofType(resources, 'AWS::SageMaker::Endpoint')) {
    const leaveOut = (reason: string) => notRun.push({ resource: resource.logicalId, type: resource.type, reason });
    const { EndpointConfigName: configName } = readProperties(resource, endpointSchema);
    const config = readProperties(
      named(resources, 'AWS::SageMaker::EndpointConfig', 'EndpointConfigName', configName),
      configSchema,
    );
    let roleArn: string | undefined;
    const planVariant = (variant: v.InferOutput<typeof variantSchema>): VariantPlan[] => {
      const model = named(resources, 'AWS::SageMaker::Model', 'ModelName', variant.ModelName);
      const { PrimaryContainer: container, ExecutionRoleArn: role } = readProperties(model, modelSchema);
      const { Image: image, ModelDataUrl: url, Environment: environment } = container;
      roleArn ??= role;
      const archive = findAsset(url, model.stack, stacks);
      const reason = whyNot(image, archive);
      if (archive !== undefined && reason === undefined) {
        return [{ name: variant.VariantName, weight: variant.InitialVariantWeight, archive, environment }];
      }
      leaveOut(`its variant ${variant.VariantName} is left out: ${reason}`);
      return [];
    };
    const variants = config.ProductionVariants.flatMap(planVariant);
    const [shadow] = config.ShadowProductionVariants.flatMap(planVariant);
    const name = resource.attributes['EndpointName'] ?? '';
    const asyncPlan = config.AsyncInferenceConfig === undefined ? undefined : planAsync(config.AsyncInferenceConfig);
    const { ref: arn, logicalId } = resource;
    endpoints.push({ name, arn, logicalId, variants, shadow, roleArn, async: asyncPlan });
  }
  return { endpoints, notRun };
}

type AsyncConfig = NonNullable<v.InferOutput<typeof configSchema>['AsyncInferenceConfig']>;

/** SageMaker's default concurrency of an instance (CreateEndpointConfig, `AsyncInferenceClientConfig`). */
const USUAL_CONCURRENCY = 4;

function planAsync({ ClientConfig: client, OutputConfig: output }: AsyncConfig): AsyncPlan {
  const { SuccessTopic: successTopic, ErrorTopic: errorTopic } = output.NotificationConfig;
  return {
    output: prefixOf(output.S3OutputPath),
    failure: prefixOf(output.S3FailurePath ?? output.S3OutputPath),
    successTopic,
    errorTopic,
    maxConcurrency: client.MaxConcurrentInvocationsPerInstance ?? USUAL_CONCURRENCY,
  };
}

function prefixOf(uri: string): PayloadReference {
  const [, bucket, key = ''] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(uri) ?? [];
  if (bucket === undefined) throw new AppError('TEMPLATE_INVALID', `an endpoint writes to ${uri}, which is not in S3`);
  return { bucket, key: key === '' || key.endsWith('/') ? key : `${key}/` };
}

function named(resources: readonly Resource[], type: string, attribute: string, name: string): Resource {
  const found = ofType(resources, type).find(({ attributes }) => attributes[attribute] === name);
  if (found !== undefined) return found;
  throw new AppError('TEMPLATE_INVALID', `no ${type} is named ${name}`);
}

function findAsset(url: string, stack: string, stacks: readonly StackDocument[]): string | undefined {
  const hash = basename(url).replace(/(\.[a-z]+)+$/, '');
  return stacks.find(({ name }) => name === stack)?.assets.get(hash);
}

function whyNot(image: string, archive: string | undefined): string | undefined {
  if (archive === undefined) return 'its model is not an asset of the app';
  return image.includes(`/${TRITON_REPOSITORY}:`)
    ? undefined
    : `only Triton has a stand-in here, its image is ${image}`;
}
