import type { APIGatewayProxyEvent } from 'aws-lambda';
import { parseJson } from '../../core/json/json.ts';
import { readJsonText } from '../shared/http/json-body.ts';

/** Most bytes of a JSON body: the ids of ten thousand parts take a third of it. */
const MAX_JSON_BYTES = 1024 * 1024;

/**
 * Reads a JSON body.
 *
 * @throws AppError `UNSUPPORTED_MEDIA_TYPE`, `INVALID_ENCODING`, `BODY_TOO_LARGE`, `INVALID_BODY` or `INVALID_JSON`.
 */
export async function readJson(event: APIGatewayProxyEvent): Promise<unknown> {
  return parseJson(await readJsonText(event, MAX_JSON_BYTES));
}
