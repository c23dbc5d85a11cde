import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { AppError } from '../../../core/errors.ts';
import type { PackedVersion } from '../../../core/models/packed-model.ts';
import type { Predictor } from '../../../core/models/predictor.ts';
import { fromOrt, toOrt } from '../../../core/tensors/ort-types.ts';
import type { Tensor } from '../../../core/tensors/tensor.ts';

/** Memory that gives a function one whole vCPU, as AWS documents it. */
const MIB_PER_VCPU = 1769;

/** Options of {@link openOnnxPredictor}. */
export interface OnnxPredictorOptions {
  /** Path of the `.ort` file; it is mapped into memory, not read. */
  readonly file: string;
  /** Inputs and outputs that the file declares. */
  readonly declared: Pick<PackedVersion, 'inputs' | 'outputs'>;
  /** Threads that share one operator; see {@link threadsFor}. */
  readonly threads: number;
}

/**
 * Threads that a function of this size can keep busy: one for each whole vCPU, at least one.
 *
 * @param memoryMiB - Memory of the function.
 */
export function threadsFor(memoryMiB: number): number {
  return Math.max(1, Math.floor(memoryMiB / MIB_PER_VCPU));
}

/**
 * Opens one version of a model on onnxruntime.
 *
 * The file was optimized when it was packed, so that nothing is optimized again; its initializers stay in the mapped
 * file; threads sleep between requests instead of spinning, because Lambda charges for the function's time.
 *
 * @throws AppError `ONNX_INVALID` when the file cannot be loaded.
 */
export async function openOnnxPredictor({ file, declared, threads }: OnnxPredictorOptions): Promise<Predictor> {
  const session = await openSession(file, threads);
  return {
    inputs: declared.inputs,
    outputs: declared.outputs,
    run: async (inputs) => {
      // Without a prototype, because a tensor may have any name: `__proto__`, for example.
      const feeds: Record<string, OrtTensor> = Object.create(null);
      for (const name of session.inputNames) {
        const tensor = inputs[name];
        if (tensor !== undefined) feeds[name] = toOrt(OrtTensor, tensor);
      }
      const results = await runSession(session, feeds);
      const outputs: Record<string, Tensor> = Object.create(null);
      for (const name in results) outputs[name] = outputOf(results[name] as OrtTensor);
      return outputs;
    },
  };
}

async function openSession(file: string, threads: number): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(file, {
      graphOptimizationLevel: 'disabled',
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // onnxruntime throws its errors. It would also print them, which breaks the rule of one log line.
      logSeverityLevel: 4,
      extra: {
        session: {
          use_memory_mapped_ort_model: '1',
          use_ort_model_bytes_for_initializers: '1',
          intra_op: { allow_spinning: '0' },
        },
      },
    });
  } catch (cause) {
    throw new AppError('ONNX_INVALID', 'the packed model cannot be loaded', { cause });
  }
}

async function runSession(
  session: InferenceSession,
  feeds: Record<string, OrtTensor>,
): Promise<InferenceSession.OnnxValueMapType> {
  try {
    return await session.run(feeds);
  } catch (cause) {
    // Loaded by the first failure, because most environments have none.
    const { describeRefusal } = await import('../../../core/models/model-refusal.ts');
    const readsText = Object.values(feeds).some(({ type }) => type === 'string');
    throw describeRefusal(cause, { readsText });
  }
}

function outputOf(result: OrtTensor): Tensor {
  const tensor = fromOrt(result);
  if (tensor !== undefined) return tensor;
  throw new AppError('INTERNAL', `the model returned elements of type ${result.type}, which no protocol here carries`);
}
