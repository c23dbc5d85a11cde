import type { InferenceSession } from 'onnxruntime-node';
import { AppError } from '../../core/errors.ts';
import { datatypeOfOrtType } from '../../core/tensors/ort-types.ts';
import type { TensorDescription } from '../../core/tensors/tensor.ts';
import { loadRuntime } from './session.ts';

/** The inputs and outputs of a model. */
export interface Signature {
  readonly inputs: readonly TensorDescription[];
  readonly outputs: readonly TensorDescription[];
  /** Names of the first dimensions that vary, each once. An empty name stands for dimensions without one. */
  readonly batchNames: readonly string[];
}

/**
 * Lets onnxruntime optimize an ONNX file and write it in its own format, which loads by memory map.
 *
 * The level is `extended`. Higher levels lay tensors out for the CPU that optimizes the file, which then fails on other
 * CPUs. One fusion is left out: `SkipLayerNormalization` is slower in onnxruntime 1.30 than its two parts, and applies
 * only if a file happens to list the shapes between its nodes.
 *
 * @param path - ONNX file that contains all of its tensors.
 * @param target - Where to write the `.ort` file.
 * @param source - Name of the file in messages, if it was made from another. Defaults to its path.
 * @throws AppError `ONNX_INVALID` when onnxruntime refuses the model or it has inputs that no request can carry.
 */
export async function saveOrt(path: string, target: string, source = path): Promise<Signature> {
  return openForSignature(path, source, {
    graphOptimizationLevel: 'extended',
    optimizedModelFilePath: target,
    extra: {
      session: { save_model_format: 'ORT' },
      optimization: { disable_specified_optimizers: 'SkipLayerNormFusion' },
    },
  });
}

/**
 * Lets onnxruntime read an ONNX file.
 *
 * @returns The inputs and outputs of the model.
 *
 * @throws AppError `ONNX_INVALID` when onnxruntime refuses the model or it has inputs that no request can carry.
 */
export async function readSignature(path: string): Promise<Signature> {
  return openForSignature(path, path, { graphOptimizationLevel: 'disabled' });
}

async function openForSignature(
  path: string,
  source: string,
  options: InferenceSession.SessionOptions,
): Promise<Signature> {
  const { InferenceSession: sessions } = await loadRuntime();
  const session = await explained(
    { path, source },
    sessions.create(path, { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3, ...options }),
  );
  try {
    const { inputMetadata, outputMetadata } = session;
    const firsts = [...inputMetadata, ...outputMetadata].map((value) => (value.isTensor ? value.shape[0] : undefined));
    return {
      inputs: inputMetadata.map((value) => describe(source, value)),
      outputs: outputMetadata.map((value) => describe(source, value)),
      batchNames: [...new Set(firsts.filter((first) => typeof first === 'string'))],
    };
  } finally {
    await session.release();
  }
}

/** Names the file as the user knows it, also where onnxruntime names the one that was made from it. */
async function explained<T>(
  { path, source }: { readonly path: string; readonly source: string },
  work: Promise<T>,
): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).replaceAll(path, source);
    throw new AppError('ONNX_INVALID', `onnxruntime refuses ${source}: ${reason}`, { cause });
  }
}

function describe(source: string, value: InferenceSession.ValueMetadata): TensorDescription {
  if (!value.isTensor) throw new AppError('ONNX_INVALID', `${source}: ${value.name} is not a tensor`);
  const datatype = datatypeOfOrtType(value.type);
  if (datatype === undefined) {
    throw new AppError(
      'ONNX_INVALID',
      `${source}: tensors of type ${value.type}, as ${value.name} is, cannot be sent: cast it to FP32 in the model`,
    );
  }
  return {
    name: value.name,
    datatype,
    // Named dimensions vary from call to call.
    shape: value.shape.map((dimension) => (typeof dimension === 'number' && dimension >= 0 ? dimension : -1)),
  };
}
