import { Stack, type StackProps } from 'aws-cdk-lib';
import type { IBucket } from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import type { DeployConfig } from '../../core/config/deploy-config.ts';
import { GpuEndpoint } from '../endpoints/gpu-endpoint.ts';
import type { Model } from '../packaging/model.ts';
import { checkModelIds, modelConstructId } from '../packaging/model-ids.ts';
import { allowEmpty, withoutMetadata } from './empty-stack.ts';
import { keepExports, readOutputs } from './stack-references.ts';

/** Settings of a {@link GpuStack}. */
export interface GpuStackProps extends StackProps {
  /** The deployment's configuration. */
  readonly config: DeployConfig;
  /** Models of the deployment; those whose manifests say `target: sagemaker` get an endpoint. */
  readonly models: readonly Model[];
  /**
   * Where asynchronous endpoints find their requests.
   *
   * @default - none; models whose manifests say `mode: async` need one
   */
  readonly payloadBucket?: IBucket;
}

/**
 * Endpoints on GPUs, which take minutes to change. Without models on endpoints the stack is empty, and `cdk deploy` deletes
 * a deployed one.
 *
 * @example
 * const config = readDeployConfig('prod');
 * const { results: resultsTable, jobData } = new DataStack(app, 'Data', { config });
 * const { endpoints } = new GpuStack(app, 'Gpu', { config, models, payloadBucket: jobData?.payloadBucket });
 * new ApiStack(app, 'Api', { config, stageName: 'prod', models, resultsTable, endpoints });
 */
export class GpuStack extends Stack {
  /** One endpoint for each such model. */
  readonly endpoints: readonly GpuEndpoint[];

  constructor(scope: Construct, id: string, props: GpuStackProps) {
    const models = props.models.filter(({ manifest }) => manifest.compute.target === 'sagemaker');
    super(scope, id, models.length === 0 ? withoutMetadata(props) : props);
    readOutputs(this);
    checkModelIds(props.models);
    this.endpoints = models.map(
      (model) =>
        new GpuEndpoint(this, modelConstructId(model), {
          model,
          logRetention: props.config.logRetentionDays,
          payloadBucket: props.payloadBucket,
        }),
    );
    if (this.endpoints.length === 0) allowEmpty(this);
    for (const { notifications } of this.endpoints) {
      if (notifications !== undefined) keepExports(this, [notifications.topicArn]);
    }
  }
}
