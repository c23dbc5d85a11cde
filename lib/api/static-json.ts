import { type ErrorForm, problemBody } from '../../core/api/problem-body.ts';
import type { ErrorCode } from '../../core/errors.ts';

/**
 * Renders a value as a template of API Gateway that gives exactly this JSON.
 *
 * `$` and `#` start expressions of the template language, so they are written as JSON escapes; the one exception
 * is `$context.requestId`.
 */
export function renderStaticJson(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('$', '\\u0024')
    .replaceAll('#', '\\u0023')
    .replaceAll('\\u0024context.requestId', '$context.requestId');
}

/**
 * Renders a problem document that API Gateway itself returns.
 *
 * @param code - Stable code.
 * @param detail - What was wrong, known without the request.
 * @param form - Form of the member `error`.
 */
export function renderProblem(code: ErrorCode, detail: string, form: ErrorForm): string {
  return renderStaticJson(problemBody({ code, message: detail, param: undefined }, form, '$context.requestId'));
}
