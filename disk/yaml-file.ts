import { readFileSync } from 'node:fs';
import { parse, YAMLParseError } from 'yaml';
import { AppError, type ErrorCode } from '../core/errors.ts';
import { absence } from './absence.ts';

/**
 * Reads a YAML file. The result is outside data: a schema must parse it.
 *
 * @param path - Path of the file.
 * @param code - Error code to throw with.
 * @throws AppError with `code` if the file cannot be read or is not YAML; the message names line and column.
 */
export function readYamlFile(path: string, code: ErrorCode): unknown {
  const text = readText(path, code);
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof YAMLParseError)) throw cause;
    const [start] = cause.linePos ?? [];
    const place = start === undefined ? path : `${path}:${start.line}:${start.col}`;
    const reason = cause.message.split('\n')[0]?.replace(/ at line \d+, column \d+:$/, '') ?? '';
    throw new AppError(code, `${place} is not YAML: ${reason}`, { cause });
  }
}

function readText(path: string, code: ErrorCode): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AppError(code, `${path} ${absence(cause)}`, { cause });
  }
}
