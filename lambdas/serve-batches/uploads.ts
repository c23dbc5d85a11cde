import { readJsonBody } from '../../core/api/body.ts';
import { AppError } from '../../core/errors.ts';
import { fileExpiry } from '../../core/files/file-expiry.ts';
import { parseUploadRequest } from '../../core/files/file-request.ts';
import { FORM_FILE_BYTES, MAX_UPLOAD_PARTS, UPLOAD_WINDOW_MS } from '../../core/files/limits.ts';
import { openAiUpload, openAiUploadPart } from '../../core/files/openai-file.ts';
import type { Upload, UploadPart } from '../../core/files/upload.ts';
import { ID_ENTROPY_BYTES, timeOrderedId } from '../../core/ids/time-ordered-id.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { type HttpResult, jsonResult } from '../shared/http/http-response.ts';
import { type Call, idOf } from './call.ts';
import { checkFileSize } from './create-file.ts';
import { readForm } from './form.ts';
import { withinBudgets } from './usage.ts';

/** Media type of the parts in S3. */
const PART_MEDIA_TYPE = 'application/octet-stream';

/** Serves `POST /v1/uploads`. */
export async function createUpload(call: Call): Promise<HttpResult> {
  const {
    filename,
    purpose,
    bytes,
    mime_type: mimeType,
    expires_after: expiry,
  } = parseUploadRequest(readJsonBody(call.body));
  checkFileSize(bytes, call);
  const createdAtMs = call.clock.now();
  const upload: Upload = {
    owner: call.owner,
    filename,
    purpose,
    mimeType,
    bytes,
    createdAtMs,
    id: `upload_${timeOrderedId(createdAtMs, call.entropy(ID_ENTROPY_BYTES))}`,
    status: 'pending',
    expiresAtMs: createdAtMs + UPLOAD_WINDOW_MS,
    keptUntilMs: fileExpiry(createdAtMs, call.settings.fileRetentionDays),
    fileExpiresAfterSeconds: expiry?.seconds,
  };
  const charge = { storedBytes: bytes, opens: { kind: 'openUploads', id: upload.id } } as const;
  await withinBudgets(call, charge, () => call.uploads.create(upload, call.budgets));
  return resultOf(upload, call);
}

/** Serves `POST /v1/uploads/{id}/parts`: writes the bytes before the record, so that every recorded part has its bytes. */
export async function addPart(call: Call): Promise<HttpResult> {
  const uploadId = idOf(call);
  const upload = await findUpload(call, uploadId);
  checkOpen(upload, call);
  const { file } = await readForm(call, 'data');
  if (file === undefined) throw new AppError('INVALID_BODY', 'the form must contain the field data', { param: 'data' });
  if (file.bytes.length === 0) throw new AppError('INVALID_BODY', 'the part is empty', { param: 'data' });
  await makeRoom(upload, file.bytes.length, call);
  const createdAtMs = call.clock.now();
  const id = `part_${timeOrderedId(createdAtMs, call.entropy(ID_ENTROPY_BYTES))}`;
  const part: UploadPart = { uploadId, id, bytes: file.bytes.length, createdAtMs };
  const { objects } = await call.storage();
  await objects.write(payloadKeys.uploadPart(call.owner, uploadId, id), file.bytes, PART_MEDIA_TYPE);
  await call.uploads.addPart(part, upload.keptUntilMs);
  return jsonResult(JSON.stringify(openAiUploadPart(part)));
}

/**
 * Checks the parts of an upload against the declared bytes. Clients send a part again when a response is lost, so there is room
 * for every byte twice, and for one part more.
 *
 * @throws AppError `FILE_TOO_LARGE`, or `UPLOAD_ENDED` when it ended meanwhile.
 */
async function makeRoom({ owner, id, bytes }: Upload, partBytes: number, call: Call): Promise<void> {
  const most = { bytes: 2 * bytes + FORM_FILE_BYTES, parts: 2 * MAX_UPLOAD_PARTS };
  if (await call.uploads.reservePart(owner, id, partBytes, most)) return;
  checkOpen(await findUpload(call, id), call);
  const message = `the upload was declared with ${bytes} bytes, and takes parts of at most ${most.bytes} bytes together, repeated ones included; start another upload`;
  throw new AppError('FILE_TOO_LARGE', message, { param: 'data' });
}

/** Serves `POST /v1/uploads/{id}/cancel`; canceling an upload again succeeds. */
export async function cancelUpload(call: Call): Promise<HttpResult> {
  const id = idOf(call);
  await findUpload(call, id);
  const { upload } = await call.uploads.change(call.owner, id, { set: { status: 'cancelled' }, statusIn: ['pending'] });
  if (upload === undefined) throw notFound();
  if (upload.status !== 'cancelled') throw await completedAlready(upload, call);
  const { objects } = await call.storage();
  await objects.removeAll(payloadKeys.piecesOf(call.owner, id));
  return resultOf(upload, call);
}

/** Creates the error for an upload that was completed before: it states the outcome of its file. */
export async function completedAlready({ owner, fileId = '' }: Upload, { files }: Call): Promise<AppError> {
  const file = await files.get(owner, fileId);
  if (file?.status !== 'error') {
    return new AppError('UPLOAD_ENDED', `the upload is completed; delete its file ${fileId} to discard it`);
  }
  const reason = file.statusDetails ?? 'its parts are not what was declared';
  return new AppError('UPLOAD_ENDED', `the upload has failed, because ${reason}; start another upload`);
}

/** @throws AppError `UPLOAD_NOT_FOUND`. */
export async function findUpload({ uploads, owner }: Call, id: string): Promise<Upload> {
  const upload = await uploads.get(owner, id);
  if (upload === undefined) throw notFound();
  return upload;
}

/**
 * Looks whether an upload takes parts.
 *
 * @throws AppError `UPLOAD_ENDED` or `UPLOAD_EXPIRED`.
 */
export function checkOpen({ status, expiresAtMs }: Upload, { clock }: Call): void {
  if (status !== 'pending') throw new AppError('UPLOAD_ENDED', `the upload is ${status}`);
  if (clock.now() < expiresAtMs) return;
  const hours = UPLOAD_WINDOW_MS / 3_600_000;
  throw new AppError('UPLOAD_EXPIRED', `the upload was not completed within ${hours} h of its creation`);
}

function resultOf(upload: Upload, { clock }: Call): HttpResult {
  return jsonResult(JSON.stringify(openAiUpload(upload, clock)));
}

function notFound(): AppError {
  return new AppError('UPLOAD_NOT_FOUND', 'this key has no such upload');
}
