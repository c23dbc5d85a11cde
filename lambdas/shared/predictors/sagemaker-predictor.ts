import type { PackedVersion } from '../../../core/models/packed-model.ts';
import type { Predictor } from '../../../core/models/predictor.ts';
import type { ContainerCodec } from '../../../core/sagemaker/container-codec.ts';
import { INVOCATION_SECONDS } from '../../../core/sagemaker/endpoint-contract.ts';
import type { SageMakerEndpoints } from './sagemaker-endpoints.ts';

/** Dependencies of {@link openSageMakerPredictor}. */
export interface SageMakerPredictorOptions {
  readonly endpoints: SageMakerEndpoints;
  /** How its containers are invoked. */
  readonly codec: ContainerCodec;
  /** The version to run. */
  readonly version: string;
  /** Inputs and outputs that the version's file declares. */
  readonly declared: Pick<PackedVersion, 'inputs' | 'outputs'>;
}

/**
 * Opens a version of a model that runs in a container of Amazon SageMaker: tensors are sent there and returned.
 *
 * `run` throws the errors of {@link SageMakerEndpoints.invoke}.
 */
export function openSageMakerPredictor({ endpoints, codec, version, declared }: SageMakerPredictorOptions): Predictor {
  return {
    inputs: declared.inputs,
    outputs: declared.outputs,
    run: async (inputs, withinMs = Number.POSITIVE_INFINITY) => {
      const budgetMs = Math.min(withinMs, INVOCATION_SECONDS * 1000);
      const answer = await endpoints.invoke(version, codec.encode(inputs, budgetMs), budgetMs);
      return codec.decode(answer);
    },
  };
}
