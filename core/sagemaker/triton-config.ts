import { AppError } from '../errors.ts';
import type { Manifest } from '../models/manifest.ts';
import type { Datatype, TensorDescription } from '../tensors/tensor.ts';

/** The properties of a model in Triton's configuration. */
export interface TritonModel {
  /** Name of the model and of its folder in the repository. */
  readonly name: string;
  /** Version that the repository holds. */
  readonly version: string;
  readonly inputs: readonly TensorDescription[];
  readonly outputs: readonly TensorDescription[];
  /** Whether a row's result does not depend on the rows of other requests. */
  readonly hasIndependentRows: boolean;
  /** Maximum number of items in one run; used if Triton merges requests. */
  readonly maxBatchSize: number;
  readonly queue: TritonQueue;
  /** Copies of the model on each GPU, which run at the same time. */
  readonly modelInstances: number;
  /** Whether the graph is compiled by TensorRT, in half precision, when the model is loaded. */
  readonly tensorRt: boolean;
}

/** How requests wait to be merged. */
export interface TritonQueue {
  /** How long a request waits for others when the model is free. */
  readonly delayMicroseconds: number;
  /** Requests that may wait; more are refused. */
  readonly maxRequests: number;
  /** How long a request may wait; then it is refused. */
  readonly timeoutMilliseconds: number;
}

/** Triton's names of datatypes. */
const TYPES: Readonly<Record<Datatype, string>> = {
  BOOL: 'TYPE_BOOL',
  UINT8: 'TYPE_UINT8',
  UINT16: 'TYPE_UINT16',
  UINT32: 'TYPE_UINT32',
  UINT64: 'TYPE_UINT64',
  INT8: 'TYPE_INT8',
  INT16: 'TYPE_INT16',
  INT32: 'TYPE_INT32',
  INT64: 'TYPE_INT64',
  FP16: 'TYPE_FP16',
  FP32: 'TYPE_FP32',
  FP64: 'TYPE_FP64',
  BYTES: 'TYPE_STRING',
};

/** Length that a dimension which varies has while the model warms up. */
const WARM_UP_LENGTH = 16;

/**
 * Returns whether Triton may merge requests to the model: rows are independent, and the first dimension of every tensor varies.
 *
 * @see https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_configuration.md
 */
export function isBatchable({
  inputs,
  outputs,
  hasIndependentRows,
}: Pick<TritonModel, 'inputs' | 'outputs' | 'hasIndependentRows'>): boolean {
  return hasIndependentRows && inputs.length > 0 && [...inputs, ...outputs].every(({ shape }) => shape[0] === -1);
}

/**
 * Writes the configuration of a model for Triton's onnxruntime backend (`config.pbtxt`): tensors, dynamic batching with
 * a bounded queue, instance groups on GPUs, a warm-up before the model is ready.
 *
 * @see https://github.com/triton-inference-server/common/blob/main/protobuf/model_config.proto
 */
export function renderTritonConfig(model: TritonModel): string {
  const batchable = isBatchable(model);
  return `${[
    field('name', quoted(model.name)),
    field('backend', quoted('onnxruntime')),
    field('default_model_filename', quoted('model.onnx')),
    field('max_batch_size', batchable ? model.maxBatchSize : 0),
    ...model.inputs.map((tensor) => block('input', tensorFields(tensor, batchable))),
    ...model.outputs.map((tensor) => block('output', tensorFields(tensor, batchable))),
    block('version_policy', [block('specific', [field('versions', model.version)])]),
    block('instance_group', [field('kind', 'KIND_GPU'), field('count', model.modelInstances)]),
    ...(batchable ? [block('dynamic_batching', batchingFields(model.queue))] : []),
    ...(model.tensorRt ? [block('optimization', tensorRtFields())] : []),
    ...warmUp(model, batchable),
  ].join('\n')}\n`;
}

/**
 * Returns the `config.pbtxt` of a version, according to the manifest.
 *
 * @throws AppError `CONFIG_INVALID` when the model does not run on an endpoint.
 */
export function tritonConfigOf(
  { id, batching, compute, rows }: Pick<Manifest, 'id' | 'batching' | 'compute' | 'rows'>,
  version: string,
  signature: Pick<TritonModel, 'inputs' | 'outputs'>,
): string {
  if (compute.target !== 'sagemaker') throw new AppError('CONFIG_INVALID', `${id} does not run on an endpoint`);
  const { queue, modelInstances, tensorRt } = compute;
  const { inputs, outputs } = signature;
  return renderTritonConfig({
    name: id,
    version,
    inputs,
    outputs,
    hasIndependentRows: rows !== 'together',
    maxBatchSize: batching.maxItems,
    queue,
    modelInstances,
    tensorRt,
  });
}

function field(name: string, value: string | number): string {
  return `${name}: ${value}`;
}

function block(name: string, members: readonly string[]): string {
  const lines = members.flatMap((member) => member.split('\n'));
  return `${name} {\n${lines.map((line) => `  ${line}`).join('\n')}\n}`;
}

/** JSON escapes quotes, backslashes and control characters as the protobuf text format does. */
function quoted(text: string): string {
  return JSON.stringify(text);
}

function tensorFields({ name, datatype, shape }: TensorDescription, batchable: boolean): readonly string[] {
  const dims = batchable ? shape.slice(1) : shape;
  // A tensor must have a dimension; one that batching takes away is put back by a reshape to none.
  const shown = dims.length === 0 ? [1] : dims;
  return [
    field('name', quoted(name)),
    field('data_type', TYPES[datatype]),
    field('dims', `[ ${shown.join(', ')} ]`),
    ...(dims.length === 0 ? ['reshape { shape: [ ] }'] : []),
  ];
}

function batchingFields({ delayMicroseconds, maxRequests, timeoutMilliseconds }: TritonQueue): readonly string[] {
  return [
    field('max_queue_delay_microseconds', delayMicroseconds),
    block('default_queue_policy', [
      field('timeout_action', 'REJECT'),
      field('default_timeout_microseconds', timeoutMilliseconds * 1000),
      // A caller can wait a shorter time, never a longer one.
      field('allow_timeout_override', 'true'),
      field('max_queue_size', maxRequests),
    ]),
  ];
}

function tensorRtFields(): readonly string[] {
  return [
    block('execution_accelerators', [
      block('gpu_execution_accelerator', [
        field('name', quoted('tensorrt')),
        block('parameters', [field('key', quoted('precision_mode')), field('value', quoted('FP16'))]),
      ]),
    ]),
  ];
}

/** A model of text that is not ready until it has run; strings have no zeros to warm up with. */
function warmUp({ inputs, maxBatchSize }: TritonModel, batchable: boolean): readonly string[] {
  if (inputs.some(({ datatype }) => datatype === 'BYTES')) return [];
  const sizes = batchable ? [...new Set([1, maxBatchSize])] : [0];
  return sizes.map((size) =>
    block('model_warmup', [
      field('name', quoted(size === 0 ? 'once' : `batch of ${size}`)),
      ...(size === 0 ? [] : [field('batch_size', size)]),
      ...inputs.map(({ name, datatype, shape }) =>
        block('inputs', [
          field('key', quoted(name)),
          block('value', [
            field('data_type', TYPES[datatype]),
            field('dims', `[ ${warmUpDims(shape, batchable).join(', ')} ]`),
            field('zero_data', 'true'),
          ]),
        ]),
      ),
    ]),
  );
}

function warmUpDims(shape: readonly number[], batchable: boolean): readonly number[] {
  const dims = batchable ? shape.slice(1) : shape;
  return dims.length === 0 ? [1] : dims.map((length) => (length === -1 ? WARM_UP_LENGTH : length));
}
