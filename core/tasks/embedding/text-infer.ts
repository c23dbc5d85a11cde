import { decodeInfer, encodeInfer, type FormedRequest, type InferForm } from '../../protocols/open-inference/infer.ts';
import {
  type InferInput,
  type InferRequest,
  type RequestedOutput,
  requestedOutputs,
  validateInputs,
} from '../../protocols/open-inference/model.ts';
import { checkFinite } from '../../tensors/finite.ts';
import type { Tensor } from '../../tensors/tensor.ts';
import { checkItemCount, checkResultCount } from '../contract/item-count.ts';
import type { Codec } from '../contract/task.ts';
import { EMBEDDING_OUTPUT, type EmbeddingContext, limitsOf, TEXT_INPUT } from './embedding-model.ts';
import {
  type EmbeddingLimits,
  type EmbeddingRequest,
  readDimensions,
  readTruncation,
  textItem,
} from './embedding-request.ts';
import { requestedDimensions } from './pooling.ts';
import { vectorBytes } from './vector-bytes.ts';

/** An infer request to an embedding model. */
export interface TextInferRequest extends EmbeddingRequest, InferForm {
  /** The request's id, to be echoed. */
  readonly id: string | undefined;
  /** The requested outputs. */
  readonly outputs: readonly RequestedOutput[];
}

/** The codec of `POST /v2/models/{id}[/versions/{version}]/infer` for embedding models. */
export const TEXT_INFER: Codec<TextInferRequest, readonly number[], Float32Array, EmbeddingContext> = {
  decode: (body, context) => {
    const { model, version } = context;
    const request = decodeInfer(body, { modelName: model.id, modelVersion: version.name, inputs: [TEXT_INPUT] });
    const limits = limitsOf(context);
    return request instanceof Promise
      ? request.then((loaded) => decodeTextInfer(loaded, limits))
      : decodeTextInfer(request, limits);
  },
  checkSize: (request, context, maxBytes) => {
    const { items, param, outputs, form, isBinary } = request;
    if (outputs.some(({ classes }) => classes !== undefined)) return;
    const isJson = form === 'json' || (form === 'binary' && !outputs.some((output) => output.isBinary ?? isBinary));
    const bytes = vectorBytes(isJson ? 'float' : 'base64', request, context);
    checkResultCount(items.length, bytes, { maxBytes, param });
  },
  encode: (vectors, { request }, { model, version }) => {
    const parts = vectors.map((vector) => requestedDimensions(vector, request));
    for (const part of parts) checkFinite(part);
    const shape = [parts.length, parts[0]?.length ?? 0];
    const outputs = request.outputs.map(({ name }) => ({ name, datatype: 'FP32', shape, parts }) as const);
    const response = { modelName: model.id, modelVersion: version.name, id: request.id, outputs };
    return encodeInfer(response, request, request.outputs, true);
  },
};

/**
 * Reads an infer request to an embedding model: one input `text`, parameters `truncate` and `dimensions`.
 *
 * @throws AppError `INVALID_TENSOR`, `INVALID_PARAMETER`, `INPUT_EMPTY` or `TOO_MANY_ITEMS`.
 */
export function decodeTextInfer(request: FormedRequest, limits: EmbeddingLimits): TextInferRequest {
  const outputs = requestedOutputs(request.outputs, [{ name: EMBEDDING_OUTPUT, datatype: 'FP32' }]);
  const inputs = textInputs(request);
  const text = inputs.get(TEXT_INPUT.name);
  if (text?.shape.length === 1) checkItemCount(text.data.length, limits.maxItems, 'inputs[0].data');
  const { data } = validateInputs(inputs, [TEXT_INPUT])[TEXT_INPUT.name] as { data: readonly string[] };
  return {
    id: request.id,
    param: 'inputs',
    items: data.map((item, index) => textItem(item, `inputs[0].data[${index}]`)),
    dimensions: readDimensions(request.parameters['dimensions'], limits, 'parameters.dimensions'),
    truncation: readTruncation(request.parameters['truncate'], limits, 'parameters.truncate'),
    outputs,
    form: request.form,
    isBinary: request.isBinary,
  };
}

/**
 * The inputs as the model takes them. Clients that batch texts send a column of them. MLServer's clients mark an input as
 * text by the parameter `content_type`, and have a name of their own for it.
 */
function textInputs({ inputs, parameters }: Pick<InferRequest, 'inputs' | 'parameters'>): ReadonlyMap<string, Tensor> {
  const [only] = inputs;
  if (inputs.size !== 1 || only === undefined) return inputs;
  const [name, input] = only;
  return new Map([[contentType(input, parameters) === 'str' ? TEXT_INPUT.name : name, asList(input)]]);
}

function contentType({ parameters }: InferInput, shared: InferRequest['parameters']): unknown {
  return parameters?.['content_type'] ?? shared['content_type'];
}

function asList(input: InferInput): InferInput {
  const [rows, columns] = input.shape;
  return input.shape.length === 2 && rows !== undefined && columns === 1 ? { ...input, shape: [rows] } : input;
}
