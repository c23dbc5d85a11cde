import { AppError } from '../core/errors.ts';

/** Codes of Node's errors that say that nothing responds at an address. */
const CONNECTION_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
]);

/**
 * Converts any error of a command to one that its user can act on: errors of the operating system keep their words, and
 * errors of AWS their names.
 *
 * @returns An error `INTERNAL` if the error is a fault of this program.
 */
export function toCommandError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const { code, path, message, name } = factsOf(error);
  if (code !== undefined && CONNECTION_CODES.has(code)) {
    return new AppError('UNAVAILABLE', `cannot connect: ${message || code}`, { cause: error });
  }
  if (typeof error === 'object' && error !== null && ('$metadata' in error || name === 'CredentialsProviderError')) {
    return new AppError('UNAVAILABLE', `AWS refused the call: ${name}: ${message}`, { cause: error });
  }
  if (code !== undefined && path !== undefined) {
    return new AppError('CONFIG_INVALID', `${path}: ${reasonOf(code, message)}`, { cause: error });
  }
  return new AppError('INTERNAL', `a fault of tensorgate: ${message}`, { cause: error });
}

function factsOf(error: unknown) {
  const { code, path, name } = Object(error) as { code?: unknown; path?: unknown; name?: unknown };
  return {
    code: typeof code === 'string' ? code : undefined,
    path: typeof path === 'string' ? path : undefined,
    name: typeof name === 'string' ? name : 'Error',
    message: error instanceof Error ? error.message : String(error),
  };
}

/** Says what the operating system objected to, in words for its common codes. */
function reasonOf(code: string, message: string): string {
  const REASONS: Readonly<Record<string, string>> = {
    ENOENT: 'does not exist',
    EISDIR: 'is a folder, a file is needed',
    ENOTDIR: 'is not a folder',
    EEXIST: 'exists and is not a folder',
    EACCES: 'permission denied',
    EPERM: 'not permitted',
    ENOSPC: 'no space is left on the disk',
    EROFS: 'the file system is read-only',
  };
  return REASONS[code] ?? message;
}
