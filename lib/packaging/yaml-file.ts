import { readFileSync } from 'node:fs';
import { parse, YAMLParseError } from 'yaml';
import { AppError, type ErrorCode } from '../../core/errors.ts';

/**
 * Reads a YAML file as outside data, still to be parsed by a schema.
 *
 * @param path - Path of the file.
 * @param code - Error code to throw with.
 * @throws AppError with `code` when the file cannot be read or is not YAML; the message names line and column.
 */
export function readYamlFile(path: string, code: ErrorCode): unknown {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new AppError(code, `${path} cannot be read: ${describe(cause)}`, { cause });
  }
}

function describe(cause: unknown): string {
  if (cause instanceof YAMLParseError) return cause.message.trimEnd().replace(/:$/, '');
  if (isSystemError(cause) && cause.code === 'ENOENT') return 'there is no such file';
  return String(cause);
}

function isSystemError(cause: unknown): cause is NodeJS.ErrnoException {
  return typeof cause === 'object' && cause !== null && 'code' in cause;
}
