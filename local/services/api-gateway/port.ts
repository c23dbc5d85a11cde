import { createServer } from 'node:net';
import { AppError } from '../../../core/errors.ts';
import { errorCode } from '../../aws/error-code.ts';

/** Why a server could not listen, in words, by the error's code. */
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use by another program',
  EACCES: 'may not be used: ports below 1024 need the rights of an administrator',
};

/**
 * Finds out why a port cannot be used.
 *
 * @returns Undefined if it can.
 */
export async function findPortProblem(port: number): Promise<AppError | undefined> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<unknown>();
  server.once('listening', () => resolve(undefined));
  server.once('error', resolve);
  server.listen(port, '127.0.0.1');
  const error = await promise;
  await new Promise((closed) => server.close(closed));
  if (error === undefined) return undefined;
  const problem = portProblem(port, error);
  if (problem === undefined) throw error;
  return problem;
}

/**
 * Describes the error of a server that could not listen.
 *
 * @returns Undefined if the error is not about the port.
 */
export function portProblem(port: number, error: unknown): AppError | undefined {
  const reason = REASONS[errorCode(error) ?? ''];
  return reason === undefined ? undefined : portError(port, reason, error);
}

/** Creates the error `LOCAL_START` for a port, with what to do. */
export function portError(port: number, reason: string, cause?: unknown): AppError {
  const other = Math.max(3001, (port % 65_535) + 1);
  const message = `port ${port} ${reason}; choose another port: PORT=${other} npm start`;
  return new AppError('LOCAL_START', message, { cause });
}
