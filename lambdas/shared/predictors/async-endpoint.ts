import { InvokeEndpointAsyncCommand, type SageMakerRuntimeClient } from '@aws-sdk/client-sagemaker-runtime';
import { AppError } from '../../../core/errors.ts';
import { parseS3Uri } from '../../../core/jobs/async-run.ts';
import type { PayloadReference } from '../../../core/jobs/job.ts';
import type { PayloadStore } from '../../../core/jobs/payload-store.ts';
import type { ContainerMessage } from '../../../core/protocols/container-message.ts';
import { ASYNC_LIMITS, endpointName } from '../../../core/sagemaker/endpoint-contract.ts';
import { callAws } from '../aws/client-settings.ts';

/** The asynchronous endpoints of a model, one for each version. */
export interface AsyncEndpoint {
  /**
   * Submits a request whose bytes go to S3, where the endpoint reads them.
   *
   * @param place - Key of the object for the bytes, and the name of the request in notifications.
   * @returns The objects that will hold the response, or the reason why there is none.
   * @throws AppError `UNAVAILABLE` if the endpoint does not accept the request.
   */
  submit(
    version: string,
    message: ContainerMessage,
    place: { readonly key: string; readonly inferenceId: string },
  ): Promise<{ readonly output: PayloadReference; readonly failure: PayloadReference }>;
}

/** Dependencies of {@link openAsyncEndpoint}. */
export interface AsyncEndpointOptions {
  readonly client: SageMakerRuntimeClient;
  /** Name that the deployment gave the model's endpoints. */
  readonly name: string;
  /** Receives the inputs; endpoints write their responses to the same bucket. */
  readonly payloads: PayloadStore;
}

/** Opens the asynchronous endpoints of a model. */
export function openAsyncEndpoint({ client, name, payloads }: AsyncEndpointOptions): AsyncEndpoint {
  return {
    submit: async (version, { contentType, body }, { key, inferenceId }) => {
      await payloads.put(key, body, contentType);
      const command = new InvokeEndpointAsyncCommand({
        EndpointName: endpointName(name, version),
        ContentType: contentType,
        InferenceId: inferenceId,
        InputLocation: `s3://${payloads.bucket}/${key}`,
        RequestTTLSeconds: ASYNC_LIMITS.waitSeconds,
        InvocationTimeoutSeconds: ASYNC_LIMITS.invocationSeconds,
      });
      const answer = await callAws("the model's endpoint", () => client.send(command));
      const [output, failure] = [parseS3Uri(answer.OutputLocation), parseS3Uri(answer.FailureLocation)];
      if (output === undefined || failure === undefined) {
        throw new AppError('UNAVAILABLE', "the model's endpoint did not name the objects of its response");
      }
      return { output, failure };
    },
  };
}
