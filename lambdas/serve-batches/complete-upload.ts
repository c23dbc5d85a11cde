import { readJsonBody } from '../../core/api/body.ts';
import { AppError } from '../../core/errors.ts';
import { startAssembly } from '../../core/files/assemble.ts';
import type { StoredFile } from '../../core/files/file.ts';
import { fileExpiry } from '../../core/files/file-expiry.ts';
import { type CompleteRequest, parseCompleteRequest } from '../../core/files/file-request.ts';
import { openAiUpload } from '../../core/files/openai-file.ts';
import type { ListedPart, Upload, UploadStepMessage } from '../../core/files/upload.ts';
import { payloadKeys } from '../../core/jobs/payload-keys.ts';
import { assembleUpload, writePartList } from '../shared/files/assemble-upload.ts';
import { type HttpResult, jsonResult } from '../shared/http/http-response.ts';
import { sha256 } from '../shared/sha256.ts';
import { type Call, idOf } from './call.ts';
import { SPARE_STEP_SECONDS } from './step-delay.ts';
import { checkOpen, completedAlready, findUpload } from './uploads.ts';

/**
 * Serves `POST /v1/uploads/{id}/complete`: creates a file from the parts, here if the time is sufficient, otherwise in steps.
 *
 * The message for the next step is sent before anything is recorded, with a delay until this function has surely ended.
 * After a crash at any point, the client can complete the upload again, or that step assembles the file.
 */
export async function completeUpload(call: Call): Promise<HttpResult> {
  const request = parseCompleteRequest(readJsonBody(call.body));
  const partsHash = sha256(Buffer.from(JSON.stringify(['parts/1', request.part_ids, request.md5 ?? null])));
  const upload = await findUpload(call, idOf(call));
  const file =
    upload.status === 'completed' && upload.partsHash === partsHash
      ? await resume(upload, request, call)
      : await begin(upload, { request, partsHash }, call);
  if (file?.status === 'error') {
    throw new AppError('UPLOAD_INCOMPLETE', file.statusDetails ?? 'the parts differ from the declared bytes');
  }
  const completed: Upload = { ...upload, status: 'completed' };
  return jsonResult(JSON.stringify(openAiUpload(completed, call.clock, file)));
}

interface Completion {
  readonly request: CompleteRequest;
  /** SHA-256 of the list of parts that completes the upload. */
  readonly partsHash: string;
}

async function begin(upload: Upload, { request, partsHash }: Completion, call: Call): Promise<StoredFile | undefined> {
  if (upload.status === 'completed') throw await completedAlready(upload, call);
  checkOpen(upload, call);
  const parts = await checkParts(upload, request, call);
  await sendSpare(upload, call);
  const md5 = request.md5?.toLowerCase();
  const { upload: current } = await call.uploads.change(upload.owner, upload.id, {
    set: {
      status: 'completed',
      fileId: upload.id.replace(/^upload_/, 'file-'),
      completedAtMs: call.clock.now(),
      partsHash,
      partCount: parts.length,
      assembly: startAssembly(md5 !== undefined),
      md5,
    },
    statusIn: ['pending'],
  });
  // A concurrent request has completed or canceled it.
  if (current?.partsHash !== partsHash) throw ended(current);
  return putTogether(current, parts, call);
}

/** Repeats a completion with the same parts: the first one is still running, unless it crashed before the file. */
async function resume(upload: Upload, request: CompleteRequest, call: Call): Promise<StoredFile | undefined> {
  const file = await call.files.get(upload.owner, upload.fileId ?? '');
  if (file !== undefined || upload.assembly?.done === true) return file;
  const parts = await checkParts(upload, request, call);
  await sendSpare(upload, call);
  return putTogether(upload, parts, call);
}

async function putTogether(upload: Upload, parts: readonly ListedPart[], call: Call): Promise<StoredFile> {
  const { objects } = await call.storage();
  await writePartList(upload, parts, objects);
  const file = await call.files.create(describe(upload, objects.bucket, call), { hasCountedBytes: true });
  if (file.status !== 'uploaded') return file;
  try {
    const status = await assembleUpload(upload, { ...call, objects });
    if (status !== 'error') return { ...file, status };
  } catch (error) {
    call.note('the parts are assembled later', error);
    return file;
  }
  return (await call.files.get(file.owner, file.id)) ?? file;
}

/**
 * Looks the parts up.
 *
 * @throws AppError `INVALID_PARAMETER` for one that the upload does not have, `UPLOAD_INCOMPLETE` when their bytes are
 * not as many as declared.
 */
async function checkParts({ id, bytes }: Upload, { part_ids: ids }: CompleteRequest, { uploads }: Call) {
  const known = await uploads.readParts(id, [...new Set(ids)]);
  const parts = ids.map((partId, index): ListedPart => {
    const part = known.get(partId);
    if (part !== undefined) return [partId, part.bytes];
    const param = `part_ids[${index}]`;
    throw new AppError('INVALID_PARAMETER', `${param} names no part of this upload`, { param });
  });
  const total = parts.reduce((sum, [, partBytes]) => sum + partBytes, 0);
  if (total === bytes) return parts;
  const message = `the ${parts.length} parts hold ${total} bytes, the upload was declared with ${bytes}`;
  throw new AppError('UPLOAD_INCOMPLETE', message, { param: 'part_ids' });
}

async function sendSpare({ owner, id }: Upload, call: Call): Promise<void> {
  const steps = await call.steps();
  const message: UploadStepMessage = { v: 1, kind: 'assemble', owner, uploadId: id };
  await steps.send(message, { delaySeconds: SPARE_STEP_SECONDS });
}

/** The file has the creation time of the upload, which its id contains, so that a retry creates the same file. */
function describe(upload: Upload, bucket: string, { settings }: Call): StoredFile {
  const { owner, fileId = '', filename, purpose, bytes, createdAtMs, fileExpiresAfterSeconds } = upload;
  return {
    owner,
    id: fileId,
    filename,
    purpose,
    bytes,
    createdAtMs,
    status: 'uploaded',
    payload: { bucket, key: payloadKeys.file(owner, fileId) },
    expiresAtMs: fileExpiry(createdAtMs, settings.fileRetentionDays, fileExpiresAfterSeconds),
  };
}

function ended(upload: Upload | undefined): AppError {
  return new AppError('UPLOAD_ENDED', `the upload is ${upload?.status ?? 'gone'}, by another request`);
}
