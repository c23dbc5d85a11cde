import type { APIGatewayProxyResult } from 'aws-lambda';
import { AppError } from '../../core/errors.ts';
import { FILE_PURPOSES, type StoredFile } from '../../core/files/file.ts';
import { openFile, refreshFile } from '../../core/files/file-readiness.ts';
import { CONTENT_URL_SECONDS, PAGE, UPLOAD_WINDOW_MS } from '../../core/files/limits.ts';
import { openAiList, readOrder } from '../../core/files/list-query.ts';
import { openAiFile } from '../../core/files/openai-file.ts';
import { jsonAnswer } from '../shared/http/api-answer.ts';
import { type Call, queryOf } from './call.ts';
import { pageOf } from './page.ts';

const PURPOSES: readonly string[] = [...FILE_PURPOSES, 'batch_output'];

/** `GET /v1/files`. */
export async function listFiles(call: Call): Promise<APIGatewayProxyResult> {
  const { owner, files, clock, event } = call;
  const { purpose } = queryOf(call);
  if (purpose !== undefined && !PURPOSES.includes(purpose)) {
    throw new AppError('INVALID_PARAMETER', `purpose must be one of ${PURPOSES.join(', ')}`, { param: 'purpose' });
  }
  const query = { owner, order: readOrder(queryOf(call)), ...pageOf(call, PAGE.most) };
  const page = await files.list(purpose === undefined ? query : { ...query, purpose });
  const current = await Promise.all(page.files.map((file) => lookAt(file, call)));
  const shown = current.map((file) => openAiFile(file, clock));
  return jsonAnswer(200, JSON.stringify(openAiList(shown, page.hasMore)), event);
}

/** `GET /v1/files/{id}`. */
export async function showFile(call: Call, id: string): Promise<APIGatewayProxyResult> {
  const file = await lookAt(await findFile(call, id), call);
  return jsonAnswer(200, JSON.stringify(openAiFile(file, call.clock)), call.event);
}

/** `GET /v1/files/{id}/content`: to the bytes in S3, which can be larger than any answer of a function. */
export async function redirectToContent(call: Call, id: string): Promise<APIGatewayProxyResult> {
  const { objects, payloads } = await call.storage();
  const file = await openFile(call.owner, id, { ...call, objects }, 'file_id');
  const options = { expiresSeconds: CONTENT_URL_SECONDS, fileName: file.filename };
  const location = await payloads.presignGet(file.payload.key, options);
  const { requestId } = call.event.requestContext;
  return {
    statusCode: 302,
    // Whoever keeps the answer has the file for as long as the address is good.
    headers: { location, 'cache-control': 'no-store', 'x-request-id': requestId },
    body: '',
  };
}

/** `DELETE /v1/files/{id}`: first the bytes, so that a try that failed halfway can be repeated. */
export async function deleteFile(call: Call, id: string): Promise<APIGatewayProxyResult> {
  const file = await findFile(call, id);
  const { objects } = await call.storage();
  await objects.remove(file.payload.key);
  await call.files.remove(call.owner, id);
  return jsonAnswer(200, JSON.stringify({ id, object: 'file', deleted: true }), call.event);
}

async function findFile({ files, owner }: Call, id: string): Promise<StoredFile> {
  const file = await files.get(owner, id);
  if (file === undefined) throw new AppError('FILE_NOT_FOUND', 'this key has no such file');
  return file;
}

/**
 * The file as it is now: the bytes of a pending one may have arrived. One that is long overdue is settled, so that it is
 * not looked for again with every list.
 */
async function lookAt(file: StoredFile, call: Call): Promise<StoredFile> {
  if (file.status !== 'pending') return file;
  const { objects } = await call.storage();
  const current = await refreshFile(file, { ...call, objects });
  const { uploadExpiresAtMs, ...rest } = current;
  // A transfer that began in time may still go on.
  if (current.status !== 'pending' || call.clock.now() < (uploadExpiresAtMs ?? 0) + UPLOAD_WINDOW_MS) return current;
  const statusDetails = 'the bytes of the file did not come in time';
  await call.files.settle(file.owner, file.id, 'error', statusDetails);
  return { ...rest, status: 'error', statusDetails };
}
