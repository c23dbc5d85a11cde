import { AppError } from '../errors.ts';

/** Version of onnxruntime-node that packed models are written with and functions run. */
export const ONNXRUNTIME_VERSION = '1.30.0';

/** Error for an app that does not have onnxruntime-node, an optional peer of this package. */
export function onnxruntimeMissing(cause: unknown): AppError {
  return new AppError(
    'DEPENDENCY_MISSING',
    'onnxruntime-node is not installed; it packs models and runs them in functions on CPUs: ' +
      `npm install --save-exact --ignore-scripts onnxruntime-node@${ONNXRUNTIME_VERSION}`,
    { cause },
  );
}
