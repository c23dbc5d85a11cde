/**
 * Maximum size of a request to a real-time endpoint, and of its response, in bytes.
 *
 * @see https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
 */
export const MAX_INVOCATION_BYTES = 26_214_400;

/** Maximum time of a container's response, in seconds. */
export const INVOCATION_SECONDS = 60;

/** Returns the name of the production variant that runs a version of a model. */
export function variantName(version: string): string {
  return `v${version}`;
}

/** Name of the repository of AWS's images of Triton. */
export const TRITON_REPOSITORY = 'sagemaker-tritonserver';

/** Name of the repository of AWS's images of Text Embeddings Inference by Hugging Face. */
export const TEI_REPOSITORY = 'tei';

/** Where SageMaker unpacks `model.tar.gz` in a container. */
export const MODEL_FOLDER = '/opt/ml/model';

/**
 * Returns the name of the endpoint that runs a version. Each version has its own, because an update with rollback alarms cannot
 * add a variant to an endpoint.
 *
 * @param base - Name that the deployment gave the model's endpoints.
 * @see https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html
 */
export function endpointName(base: string, version: string): string {
  return `${base}-${variantName(version)}`;
}

/** Longest that a request may wait for an asynchronous endpoint, and that the model may take for it, in seconds. */
export const ASYNC_LIMITS = { waitSeconds: 21_600, invocationSeconds: 900 } as const;

/**
 * Latest default operator set that onnxruntime in the Triton container surely runs (onnxruntime 1.21, ONNX 1.17; the
 * container's is that or later).
 *
 * @see https://onnxruntime.ai/docs/reference/compatibility.html
 */
export const TRITON_MAX_OPSET = 22;
