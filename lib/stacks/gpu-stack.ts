import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { DeployConfig } from '../../core/config/deploy-config.ts';
import type { PayloadBucket } from '../data/payload-bucket.ts';
import { GpuEndpoint } from '../endpoints/gpu-endpoint.ts';
import type { Model } from '../packaging/model.ts';
import { checkModelIds, modelConstructId } from '../packaging/model-ids.ts';

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
  readonly payloadBucket?: PayloadBucket;
}

/** Endpoints on GPUs: they take minutes to change, so that nothing else waits for them. */
export class GpuStack extends Stack {
  /** Whether any model runs on an endpoint. */
  static isNeeded(models: readonly Model[]): boolean {
    return models.some(({ manifest }) => manifest.compute.target === 'sagemaker');
  }

  /** One endpoint for each such model. */
  readonly endpoints: readonly GpuEndpoint[];

  constructor(scope: Construct, id: string, props: GpuStackProps) {
    super(scope, id, props);
    checkModelIds(props.models);
    this.endpoints = props.models
      .filter(({ manifest }) => manifest.compute.target === 'sagemaker')
      .map(
        (model) =>
          new GpuEndpoint(this, modelConstructId(model), {
            model,
            logRetention: props.config.logRetentionDays,
            payloadBucket: props.payloadBucket,
          }),
      );
  }
}
