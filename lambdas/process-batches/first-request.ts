import type { PlannedChunk } from '../../core/batches/chunk-plan.ts';
import { AppError } from '../../core/errors.ts';
import type { FileObjects } from '../../core/files/file-objects.ts';
import { parseJson } from '../../core/json/json.ts';

/** The first line of a file that can be read as a request. */
export interface FirstRequest {
  /** Number of the line, from 1. */
  readonly line: number;
  /** Model that its body names. */
  readonly model: string | undefined;
}

/**
 * Looks through chunks for a line that is a request.
 *
 * @param key - Key of the input file.
 * @returns Undefined when no line is one.
 */
export async function findFirstRequest(
  key: string,
  chunks: readonly PlannedChunk[],
  objects: FileObjects,
): Promise<FirstRequest | undefined> {
  for (const chunk of chunks) {
    if (chunk.requests === 0 || chunk.isTooLong) continue;
    const slice = await objects.read(key, chunk.start, chunk.end);
    if (slice === undefined) throw new AppError('INPUT_NOT_FOUND', 'the input file was deleted');
    const found = readFirst(new TextDecoder().decode(slice.bytes), chunk.firstLine);
    if (found !== undefined) return found;
  }
  return undefined;
}

function readFirst(text: string, firstLine: number): FirstRequest | undefined {
  for (const [index, line] of text.split('\n').entries()) {
    const body = bodyOf(line);
    if (body === undefined) continue;
    return { line: firstLine + index, model: typeof body.model === 'string' ? body.model : undefined };
  }
  return undefined;
}

function bodyOf(line: string): { readonly model?: unknown } | undefined {
  try {
    const value = parseJson(line);
    if (!isObject(value) || !('body' in value)) return undefined;
    return isObject(value.body) ? value.body : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
