import { INVOCATION_SECONDS } from '../../core/gpu/endpoint-contract.ts';
import type { PackedVersion } from '../../core/packed-model.ts';
import type { Predictor } from '../../core/ports.ts';
import { decodeTritonAnswer, encodeTritonRequest } from '../../core/protocols/triton-binary.ts';
import type { SageMakerEndpoints } from './sagemaker-endpoints.ts';

/** What {@link openSageMakerPredictor} needs to know. */
export interface SageMakerPredictorOptions {
  readonly endpoints: SageMakerEndpoints;
  /** The version to run. */
  readonly version: string;
  /** Inputs and outputs that the version's file declares. */
  readonly declared: Pick<PackedVersion, 'inputs' | 'outputs'>;
}

/**
 * A version of a model that runs in a container of Amazon SageMaker: tensors go there and come back in binary.
 *
 * `run` throws what {@link SageMakerEndpoints.invoke} throws.
 */
export function openSageMakerPredictor({ endpoints, version, declared }: SageMakerPredictorOptions): Predictor {
  return {
    inputs: declared.inputs,
    outputs: declared.outputs,
    run: async (inputs, withinMs = Number.POSITIVE_INFINITY) => {
      const budgetMs = Math.min(withinMs, INVOCATION_SECONDS * 1000);
      const answer = await endpoints.invoke(version, encodeTritonRequest(inputs, budgetMs), budgetMs);
      return decodeTritonAnswer(answer);
    },
  };
}
