import { AppError, type ErrorCode } from '../../../core/errors.ts';

/** Members of a log line about an error, the same for every error and every function. */
export interface LoggedError {
  /** Message of an error of this product. */
  readonly message: string;
  /** Member of the request that was wrong. */
  readonly param?: string | undefined;
  /** Name of the error behind it, never its message: a container or a client library may quote the input there. */
  readonly cause?: string | undefined;
  /** Where an unexpected failure was thrown, the innermost call first. */
  readonly frames?: readonly string[] | undefined;
}

/** Call frames that are logged. */
const MAX_FRAMES = 8;

/** Returns the stable code of any error; `INTERNAL` for one that is not of this product. */
export function errorCodeOf(error: unknown): ErrorCode {
  return error instanceof AppError ? error.code : 'INTERNAL';
}

/**
 * Describes an error for the log, without texts from a caller or a container.
 *
 * Messages of this product's errors hold no input, so they are logged. Any other error is logged by its name and its
 * call frames only.
 */
export function describeError(error: unknown): LoggedError {
  if (!(error instanceof AppError)) {
    return { message: 'unexpected failure', cause: nameOf(error), frames: framesOf(error) };
  }
  const { code, message, param, cause } = error;
  return { message, param, cause: nameOf(cause), frames: code === 'INTERNAL' ? framesOf(cause) : undefined };
}

function nameOf(error: unknown): string | undefined {
  return error instanceof Error ? error.name : undefined;
}

/** A message can hold lines that look like frames, so only the lines after the message count. */
function framesOf(error: unknown): readonly string[] | undefined {
  if (!(error instanceof Error) || error.stack === undefined) return undefined;
  const { stack, message } = error;
  const messageAt = stack.indexOf(message);
  if (messageAt < 0) return undefined;
  return stack
    .slice(messageAt + message.length)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '))
    .slice(0, MAX_FRAMES);
}
