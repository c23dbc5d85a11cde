import { AppError } from '../errors.ts';

/** Version of onnxruntime-node that packs models, and whose JavaScript is in the bundles of functions. */
export const ONNXRUNTIME_VERSION = '1.30.0';

/**
 * Creates the error for an app that lacks onnxruntime-node, an optional peer of this package.
 *
 * @param found - The state that was found: `it is not installed`.
 */
export function onnxruntimeMissing(found: string, cause?: unknown): AppError {
  return new AppError(
    'DEPENDENCY_MISSING',
    `onnxruntime-node ${ONNXRUNTIME_VERSION} is needed to pack models and to run them in functions, ${found}: ` +
      `npm install --save-exact --ignore-scripts onnxruntime-node@${ONNXRUNTIME_VERSION}`,
    { cause },
  );
}
