import type { MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { AppError } from '../../../core/errors.ts';

/** How errors are answered. */
export interface ErrorResponseOptions<E extends APIGatewayProxyEvent> {
  /** Builds the answer to a request that failed. */
  readonly answer: (error: AppError, event: E) => APIGatewayProxyResult;
}

/**
 * Answers a request that failed. Errors of this product keep their message; of any other nothing is told but
 * `INTERNAL`.
 */
export function errorResponse<E extends APIGatewayProxyEvent>(
  options: ErrorResponseOptions<E>,
): MiddlewareObj<E, APIGatewayProxyResult> {
  return {
    onError: (request) => {
      request.response = options.answer(asAppError(request.error), request.event);
    },
  };
}

/** Hides what is not known to be safe to tell. */
export function asAppError(error: unknown): AppError {
  return error instanceof AppError ? error : new AppError('INTERNAL', 'unexpected failure', { cause: error });
}
