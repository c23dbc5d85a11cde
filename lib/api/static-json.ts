import type { Protocol } from '../../core/api/routes.ts';
import { type ErrorCode, problem } from '../../core/errors.ts';
import { openAiError } from '../../core/protocols/openai-embeddings.ts';

/**
 * Renders a value as a template of API Gateway that answers exactly this JSON.
 *
 * `$` and `#` start expressions of the template language, so they are written as JSON escapes; the one expression meant
 * as such is `$context.requestId`.
 */
export function renderStaticJson(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll('$', '\\u0024')
    .replaceAll('#', '\\u0023')
    .replaceAll('\\u0024context.requestId', '$context.requestId');
}

/**
 * Renders a problem document that the gateway answers by itself, with the member `error` that the protocol demands.
 *
 * @param code - Stable code.
 * @param detail - What was wrong, known without looking at the request.
 * @param protocol - Protocol of the route. Defaults to OpenAI's, for answers that belong to no route.
 */
export function renderProblem(code: ErrorCode, detail: string, protocol: Protocol = 'openai'): string {
  const document = problem(code, detail, { requestId: '$context.requestId' });
  return renderStaticJson({ ...document, error: protocol === 'open-inference' ? detail : openAiError(code, detail) });
}
