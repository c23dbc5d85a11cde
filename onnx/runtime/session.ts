import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { AppError } from '../../core/errors.ts';
import { onnxruntimeMissing } from '../../core/models/onnxruntime.ts';
import { datatypeOfOrtType, fromOrt, toOrt } from '../../core/tensors/ort-types.ts';
import type { Datatype, Tensor } from '../../core/tensors/tensor.ts';

/** Values for a model's inputs, or of its outputs, by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** Degree to which onnxruntime rewrites a graph before it runs it. */
export type OptimizationLevel = NonNullable<InferenceSession.SessionOptions['graphOptimizationLevel']>;

/** A loaded model. */
export interface Session {
  /** Runs the model once. */
  run(feed: Tensors): Promise<Tensors>;
  /** Frees the native memory. */
  release(): Promise<void>;
}

/** Options of {@link openSession}. */
export interface SessionSettings {
  /** Defaults to `all`, as when a model is served. */
  readonly level?: OptimizationLevel;
  /** File for the graph as onnxruntime rewrote it. Defaults to none. */
  readonly saveTo?: string;
  /** Names of onnxruntime's optimizers to leave out. Defaults to none. */
  readonly disabledOptimizers?: readonly string[];
}

/**
 * Loads onnxruntime itself, with its telemetry off.
 *
 * @throws AppError `DEPENDENCY_MISSING` if it is not installed.
 */
export async function loadRuntime(): Promise<typeof import('onnxruntime-node')> {
  // Read once while the library loads: onnxruntime 1.29 and later report usage to their maker by default.
  process.env['ORT_DISABLE_TELEMETRY'] ??= '1';
  const loaded = await import('onnxruntime-node').catch((cause: NodeJS.ErrnoException) => {
    throw cause.code === 'ERR_MODULE_NOT_FOUND' ? onnxruntimeMissing('it is not installed', cause) : cause;
  });
  return 'default' in loaded ? (loaded.default as typeof loaded) : loaded;
}

/**
 * Loads a model into onnxruntime with one thread, so that timings compare and results do not vary.
 *
 * @throws AppError `ONNX_INVALID` when onnxruntime refuses the model.
 */
export async function openSession(bytes: Uint8Array, settings: SessionSettings = {}): Promise<Session> {
  const { InferenceSession, Tensor } = await loadRuntime();
  const { disabledOptimizers = [] } = settings;
  const options: InferenceSession.SessionOptions = {
    graphOptimizationLevel: settings.level ?? 'all',
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    // Errors are thrown; onnxruntime would also write them to the terminal.
    logSeverityLevel: 4,
    // onnxruntime refuses a member that is undefined.
    ...(settings.saveTo === undefined ? {} : { optimizedModelFilePath: settings.saveTo }),
    ...(disabledOptimizers.length === 0
      ? {}
      : { extra: { optimization: { disable_specified_optimizers: disabledOptimizers.join(';') } } }),
  };
  const session = await explained('onnxruntime refuses the model', InferenceSession.create(bytes, options));
  return {
    async run(feed) {
      const inputs = Object.entries(feed).map(([name, tensor]) => [name, toOrt(Tensor, tensor)]);
      const outputs = await explained('onnxruntime cannot run the model', session.run(Object.fromEntries(inputs)));
      return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, outputOf(value)]));
    },
    release: () => session.release(),
  };
}

async function explained<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new AppError('ONNX_INVALID', `${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** @throws AppError `ONNX_INVALID` for elements of a type that the protocol cannot carry. */
function outputOf(value: OrtTensor): Tensor {
  const tensor = fromOrt(value);
  if (tensor === undefined) throw unsupported(value.type);
  return tensor;
}

/**
 * Returns the Open Inference Protocol's name of one of onnxruntime's element types.
 *
 * @throws AppError `ONNX_INVALID` for a type that the protocol cannot carry.
 */
export function datatypeOf(type: string): Datatype {
  const datatype = datatypeOfOrtType(type);
  if (datatype === undefined) throw unsupported(type);
  return datatype;
}

function unsupported(type: string): AppError {
  return new AppError('ONNX_INVALID', `tensors of type ${type} are not supported`);
}
