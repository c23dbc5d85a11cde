import { CanonicalBytes } from '../../results/canonical-bytes.ts';
import type { TaskCompute, TaskContext } from './task.ts';

/**
 * Starts a fingerprint with everything that changes every result: the model, its weights, and the runtime. The task adds its
 * options and the features.
 *
 * @param task - Name of the task, the domain of the bytes.
 * @param expected - Bytes that the task will write.
 */
export function startFingerprint(task: string, { model, version }: TaskContext, expected = 0): CanonicalBytes {
  const runtime = runtimeOf(model.compute);
  // The bytes of functions are those of the first layout, which had no other runtime.
  const bytes = new CanonicalBytes(`${task}/${runtime === undefined ? 1 : 2}`, expected);
  bytes.text(model.id);
  bytes.text(version.packed.sha256);
  if (runtime !== undefined) bytes.text(runtime);
  return bytes;
}

/**
 * Identifies the runtime of a model, as far as it affects results. TensorRT computes in half precision, and every
 * container has its own kernels. The hash of the weights covers their precision.
 *
 * @returns Undefined for a model that runs in a function.
 */
function runtimeOf(compute: TaskCompute): string | undefined {
  if (compute.target === 'lambda') return undefined;
  return `sagemaker/${compute.container}/${compute.tensorRt ? 'tensorrt' : 'cuda'}/${compute.image ?? ''}`;
}
