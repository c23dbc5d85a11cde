import { AppError } from '../../core/errors.ts';

/** Returns the error that a call throws. */
export function appErrorOf(call: () => unknown): AppError {
  try {
    call();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
