import { checkParameters } from '../../core/api/list-query.ts';
import type { Clock } from '../../core/clock.ts';
import { AppError } from '../../core/errors.ts';
import { FILE_PURPOSES, type RemovalStart, type StoredFile } from '../../core/files/file.ts';
import { openFile, refreshFile } from '../../core/files/file-readiness.ts';
import { CONTENT_URL_SECONDS, PAGE, UPLOAD_WINDOW_MS } from '../../core/files/limits.ts';
import { openAiList, readOrder } from '../../core/files/list-query.ts';
import { openAiFile } from '../../core/files/openai-file.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { type HttpResult, jsonResult } from '../shared/http/http-response.ts';
import { type Call, idOf, queryOf } from './call.ts';
import { pageOf } from './page.ts';

const PURPOSES: readonly string[] = [...FILE_PURPOSES, 'batch_output'];

/** Serves `GET /v1/files`. */
export async function listFiles(call: Call): Promise<HttpResult> {
  const { owner, files, clock } = call;
  checkParameters(queryOf(call), ['purpose', 'order', 'limit', 'after']);
  const { purpose } = queryOf(call);
  if (purpose !== undefined && !PURPOSES.includes(purpose)) {
    throw new AppError('INVALID_PARAMETER', `purpose must be one of ${PURPOSES.join(', ')}`, { param: 'purpose' });
  }
  const query = { owner, order: readOrder(queryOf(call)), ...pageOf(call, PAGE.most) };
  const page = await files.list(purpose === undefined ? query : { ...query, purpose });
  const current = await Promise.all(page.files.map((file) => lookAt(file, call)));
  const shown = current.map((file) => openAiFile(file, clock));
  return jsonResult(JSON.stringify(openAiList(shown, page.hasMore)));
}

/** Serves `GET /v1/files/{id}`. */
export async function showFile(call: Call): Promise<HttpResult> {
  const file = await lookAt(await findFile(call), call);
  return jsonResult(JSON.stringify(openAiFile(file, call.clock)));
}

/** Serves `GET /v1/files/{id}/content`: redirects to S3, because a file can be larger than any response of a function. */
export async function redirectToContent(call: Call): Promise<HttpResult> {
  const { objects, payloads } = await call.storage();
  const file = await openFile(call.owner, idOf(call), { ...call, objects }, 'file_id');
  const options = { expiresSeconds: CONTENT_URL_SECONDS, fileName: file.filename };
  const location = await payloads.presignGet(file.payload.key, options);
  // The reader of a stored response can download the file until the URL expires.
  return { status: 302, headers: { location, 'cache-control': 'no-store' } };
}

/**
 * Serves `DELETE /v1/files/{id}`: the file counts as deleted first, unless a batch reads it. The bytes are deleted before the
 * record, so that a request that failed halfway can be repeated.
 */
export async function deleteFile(call: Call): Promise<HttpResult> {
  const id = idOf(call);
  const removal = await call.files.startRemoval(call.owner, id);
  // An expired file counts as deleted for its owner.
  if (removal.kind === 'absent' || isExpired(removal, call.clock)) throw noSuchFile();
  if (removal.kind === 'read') {
    throw new AppError(
      'FILE_IN_USE',
      'a batch that has not ended reads the file: cancel the batch or wait for its end',
    );
  }
  const { objects } = await call.storage();
  await objects.remove(payloadKeys.file(call.owner, id));
  // Bytes may still arrive at its presigned URL. The sweep deletes them, and then the record.
  return jsonResult(JSON.stringify({ id, object: 'file', deleted: true }));
}

async function findFile(call: Call): Promise<StoredFile> {
  const file = await call.files.get(call.owner, idOf(call));
  if (file === undefined) throw noSuchFile();
  return file;
}

function isExpired(removal: RemovalStart, clock: Clock): boolean {
  return removal.kind === 'started' && removal.file.expiresAtMs <= clock.now();
}

function noSuchFile(): AppError {
  return new AppError('FILE_NOT_FOUND', 'this key has no such file');
}

/**
 * Returns the current file: the bytes of a pending one may have arrived. A file that is long overdue is settled, so that it is
 * not looked for again with every list.
 */
async function lookAt(file: StoredFile, call: Call): Promise<StoredFile> {
  if (file.status !== 'pending') return file;
  const { objects } = await call.storage();
  const current = await refreshFile(file, { ...call, objects });
  const { uploadExpiresAtMs, ...rest } = current;
  // A transfer that started in time may still be running.
  if (current.status !== 'pending' || call.clock.now() < (uploadExpiresAtMs ?? 0) + UPLOAD_WINDOW_MS) return current;
  const statusDetails = 'the bytes of the file did not arrive in time';
  await call.files.settle(file.owner, file.id, 'error', statusDetails);
  return { ...rest, status: 'error', statusDetails };
}
